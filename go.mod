module github.com/moonphase/moonphase

go 1.26

package openssl

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// TestDecryptKey opens keys that openssl has written: testdata/encrypted/README says how.
func TestDecryptKey(t *testing.T) {
	files, err := filepath.Glob("testdata/encrypted/*.key")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if !IsEncrypted(block) {
			t.Errorf("%s is under no password", file)
		}
		plain, err := DecryptKey(block, []byte("secret"))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if _, err := x509.ParsePKCS8PrivateKey(plain.Bytes); err != nil {
			if _, err := x509.ParseECPrivateKey(plain.Bytes); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		if plain, err := DecryptKey(block, []byte("wrong")); err == nil {
			if _, err := x509.ParsePKCS8PrivateKey(plain.Bytes); err == nil {
				t.Errorf("%s opens with a wrong password", file)
			}
		}
	}
}

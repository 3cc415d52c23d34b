package authbasic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheck compares with what Debian's crypt(3) makes of a password and a salt, and
// with what openssl passwd -apr1 does. The last three are of the specification of SHA-crypt.
func TestCheck(t *testing.T) {
	for _, v := range [][2]string{
		{"a", "$apr1$s$EpqI6uEp3OR4bun9kSXHW/"},
		{"a", "$apr1$saltsalt$OEnK0QmmvoDzFw9W2yFYT/"},
		{"secret", "$apr1$s$UoSp2veMyXxx3bp9uljYO/"},
		{"secret", "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0"},
		{"0123456789abcdef", "$apr1$s$99/wCzDQ8ebx8gmkheR350"},
		{"0123456789abcdef", "$apr1$saltsalt$noZiBycUL1t9WTQEO7/nr1"},
		{"long password of more than 16", "$apr1$s$.7HZuB8vCGx.T0XxyyWEv0"},
		{"long password of more than 16", "$apr1$saltsalt$oZvHdBo32QPfaQK...hTv."},
		{"a", "abxxB7HlIeckU"},
		{"0123456789abcdef", "ab2wHQ4RTFVKI"},
		{"p\xc3\xa4ss \xff", "abOU/zZvKOeTc"},
		{strings.Repeat("x", 80), "abzDJoqKYZJww"},
		{"", "abmF1QH4PEr.E"},
		{"a", "./xT2u5QYaHcU"},
		{"0123456789abcdef", "./EK6XMRZnEdY"},
		{"p\xc3\xa4ss \xff", "./yxtrJexYAV6"},
		{strings.Repeat("x", 80), "./jft5DtbqH.6"},
		{"a", "abxxB7HlIeckU"},
		{"0123456789abcdef", "ab2wHQ4RTFVKI3cyxPgr4a7Q"},
		{"p\xc3\xa4ss \xff", "abOU/zZvKOeTc"},
		{strings.Repeat("x", 80), "abzDJoqKYZJww0zSKj5k64o2KGYXTMSqrvsDznszBtJLScPwkrenZB/XAZcar2VNV9E.EKPPD8D3d92NH7JuT5TQPMPhMu9V1To9shV4JpEhjBCU"},
		{"a", "_J9..rasmWuvos8B/9gQ"},
		{"0123456789abcdef", "_J9..rasmZs0PH8.eNk."},
		{"p\xc3\xa4ss \xff", "_J9..rasm7DrwK7Jvffo"},
		{strings.Repeat("x", 80), "_J9..rasmK1kEyTKETYk"},
		{"", "_J9..rasmTB5D3hoAd8A"},
		{"a", "$1$salt$M17PcHxFIEt5v7SAsS4v60"},
		{"0123456789abcdef", "$1$salt$jejk8cV5TWsikbKrV5JG3/"},
		{"p\xc3\xa4ss \xff", "$1$salt$Cffh4dj2qnR.k6gTjkKwn/"},
		{strings.Repeat("x", 80), "$1$salt$3BCAzR1XPSMzoLkQDyXhB/"},
		{"a", "$1$$Ij31LCAysPM23KuPlm1wA/"},
		{"0123456789abcdef", "$1$$1GB3AJvgv92PN/0Y38a5/."},
		{"p\xc3\xa4ss \xff", "$1$$ZsubLNpQFWCcgaEKlIeQY1"},
		{strings.Repeat("x", 80), "$1$$kQ30pQw.3mVZLBWdUx6gU0"},
		{"a", "$5$salt$7p0.o3bzi2h7d5cGlDeRN33gONQRpRi7aNgP2TFs9a5"},
		{"0123456789abcdef", "$5$salt$oRBHJvoz0BIiueprJ7S/RHGbHcDp0A5CItGXU7mbk7D"},
		{"p\xc3\xa4ss \xff", "$5$salt$jtyxcufXh/Q9LogKUpaWHuIHOLq23k/goS8K58qa4qD"},
		{strings.Repeat("x", 80), "$5$salt$jv7L3eFfsPmRDA3arONPo8cDKEsHTamuwTj2TZMBUy6"},
		{"a", "$5$rounds=1000$saltsaltsaltsalt$GHNfoavxuah9TcL35kARKVEQtugg9NNQwXw4vzDjmz7"},
		{"0123456789abcdef", "$5$rounds=1000$saltsaltsaltsalt$Vqns9NcyFVyqX9My4kOtuBNZZV895ZemPHGlhO/5Ht1"},
		{"p\xc3\xa4ss \xff", "$5$rounds=1000$saltsaltsaltsalt$5nAuzLBkQKu9u.cslwWJ1VzzeTYAK4wF1YOvmTKwd3/"},
		{strings.Repeat("x", 80), "$5$rounds=1000$saltsaltsaltsalt$JQ2D91onAJd40TMhJVFpMPzyqsaqk9x9z7hX7ZN1fS5"},
		{"a", "$6$salt$TfbP0Ge1gqNJmxZYvNhvDmmKx9BigkML6b3w1kfEiAHpkKpCRu.SKIYV70wlcWGmbdh1koH3a0UmC0b0AcWDQ0"},
		{"0123456789abcdef", "$6$salt$oBGQSHOiLBUKcBCgBoZojAQe76FiogmyqsCg0BfXlGiMmFVD3iFWogjArp6.tf9UZy8e0.QDYGW5k2sdkCqTD."},
		{"p\xc3\xa4ss \xff", "$6$salt$CPP/j/TqzLalRZD0fOjQ0zLa/ZLfm98WRiRTZ105TDB8JwUP96wZ443IeCKs2y609QJ16TEAXhXeVtY02LfZC/"},
		{strings.Repeat("x", 80), "$6$salt$qqgtt/Ot4pKGlD.hHQ5R0LWKagzr2Pl5KbJ.QYIhI3BnssODZieWuQDFTxL0k3okEIxBz52FMosUk8LqXW.6c1"},
		{"a", "$6$rounds=1001$$Z3XHGkuK7mxFVw2THgpqf0z0CYp5DkNjBSznDuSjPW4C6smbqD9ubZsUxm9Mu/sMat6k.5zIm8TE6JwAZ30nd1"},
		{"0123456789abcdef", "$6$rounds=1001$$iG7Npcj4RbSZZmsLCrfBJCVxp92faKrvoMNEsiAw72buDWKCgd6zqoS/FsmmQg42mzXg0ISNDdMfKlSa5rAmC1"},
		{"p\xc3\xa4ss \xff", "$6$rounds=1001$$tic/S6XXPAva.GAsylm1CkpimxowuoAk3kgzGq61QiDJA6FiHWRi6GhtIcFCe4Nxsa9WzdDmMV7/Mvyqn8FES/"},
		{strings.Repeat("x", 80), "$6$rounds=1001$$L5TC60xj62mOzxtliSzgftf2uhH4um278dbw5Y57e7eieGw2EzNS4hyfftN09gB1vPsBwQcHnMDw/u0/CXt4./"},
		{"a", "$2a$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC"},
		{"0123456789abcdef", "$2a$04$abcdefghijklmnopqrstuu47kbr.QCtj6Eh/iTqkY.KdFw1jfyWRK"},
		{"p\xc3\xa4ss \xff", "$2a$04$abcdefghijklmnopqrstuuMZttho41i4Dj0SMYcRMIp6RH6E9IhXa"},
		{strings.Repeat("x", 80), "$2a$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"},
		{"a", "$2b$04$zzcdefghijklmnopqrstuuDioiq164CvebF71UUvan1E6.6KnCLHG"},
		{"0123456789abcdef", "$2b$04$zzcdefghijklmnopqrstuuWH/WNMDKSr2MDDj4QoNmYLIGPJTr526"},
		{"p\xc3\xa4ss \xff", "$2b$04$zzcdefghijklmnopqrstuuYRfExJyr7m.eBhFk60xvsFwdT3gB/3K"},
		{strings.Repeat("x", 80), "$2b$04$zzcdefghijklmnopqrstuugYJED9tD3Mwy6PyNzyqK9vJyM1aB3lW"},
		{"a", "$2y$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC"},
		{"0123456789abcdef", "$2y$04$abcdefghijklmnopqrstuu47kbr.QCtj6Eh/iTqkY.KdFw1jfyWRK"},
		{"p\xc3\xa4ss \xff", "$2y$04$abcdefghijklmnopqrstuuMZttho41i4Dj0SMYcRMIp6RH6E9IhXa"},
		{strings.Repeat("x", 80), "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"},
		{"", "$2y$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"},
		{"a", "$y$j75$abcd$n9K3MJBOK7rb5ZnDPVRaLq0Z1x8.y.eGWQknIyYN/.8"},
		{"0123456789abcdef", "$y$j75$abcd$scCc7TpmcDc9j75gHeDtWvdkR99wq8.nm62BdrMDm63"},
		{"p\xc3\xa4ss \xff", "$y$j75$abcd$a2u.YV57kT572iq8T9Fw0ag9HA77IjsUGgRtp0jdXE0"},
		{strings.Repeat("x", 80), "$y$j75$abcd$P5tNBTfSo.4tnhg6Pw9pIZeWbJWEoNDZT.CxjZZnJ.2"},
		{"", "$y$j75$abcd$eCNABnCYh9Yg4ibb.2WZzfD1Qm8EmjGIsb4F81qkaL2"},
		{"Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
		{"Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
		{"a short string", "$6$rounds=1400$anotherlongsalts$SAu0xGXppllhPD9yNR32OgiJVhVXUbqF.y4UgOGG7d/nFYCFpaB43f5cW0d.q2OdGqPxRgXYYRc0Cg4uiz4PD/"},
	} {
		password, stored := v[0], v[1]
		if ok, err := check(password, stored); !ok || err != nil {
			t.Errorf("%q does not fit %q: %v", password, stored, err)
		}
		if ok, err := check(password+"\x00more", stored); !ok || err != nil {
			t.Errorf("%q does not end at a zero byte: %v", password, err)
		}
		for _, other := range []string{"y" + password, strings.Repeat("x", maxPassword)} {
			if ok, _ := check(other, stored); ok {
				t.Errorf("%q fits %q", other, stored)
			}
		}
		for _, other := range []string{stored[:len(stored)-1], stored + "x", "x" + stored} {
			if ok, _ := check(password, other); ok {
				t.Errorf("%q fits %q", password, other)
			}
		}
	}
}

// TestUnsupported: what crypt(3) knows and this does not is an error; what nobody knows
// is not, and fits nothing.
func TestUnsupported(t *testing.T) {
	for _, stored := range []string{"$gy$j9T$abcd$hash", "$7$CU....salt$hash", "$sha1$10$salt$hash", "$md5,rounds=5$salt$hash", "$3$$hash", "$2x$04$abc", "$y$zz$"} {
		if ok, err := check("a", stored); ok || err == nil {
			t.Errorf("%q: %v %v", stored, ok, err)
		}
	}
	for _, stored := range []string{"", "a", "*", "!", "a:", "$", "$1", "$9$salt$hash", "_", "_J9..ra", "_....rasmWuvos8B/9gQ", "$5$rounds=$salt$x", "$5$rounds=5000", "$2y$", "{SSHA}", "{SHA}", "{PLAIN}", "$apr1$"} {
		if ok, err := check("a", stored); ok || err != nil {
			t.Errorf("%q: %v %v", stored, ok, err)
		}
	}
}

// TestLookUp: a file is read anew for each name.
func TestLookUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	for _, text := range []string{"b:2\na:1\n", "a:1", "#c\r\n\r\na:1\r\na:2", "aa:2\na:1:comment\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if stored, found, err := lookUp(path, "a"); stored != "1" || !found || err != nil {
			t.Errorf("%q: %q %v %v", text, stored, found, err)
		}
		for _, other := range []string{"#c", "\r", "c", "1"} {
			if _, found, err := lookUp(path, other); found || err != nil {
				t.Errorf("%q has %q: %v", text, other, err)
			}
		}
	}
}

package tlsclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/moonphase/moonphase/phases/conf"
	"github.com/moonphase/moonphase/runtime/openssl"
)

// LoadKeyPair reads a certificate chain and its key, which may be under one of the passwords.
func LoadKeyPair(certPath, keyPath string, passwords ...string) (tls.Certificate, error) {
	certText, err := readPEM("certificate", certPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyText, err := readPEM("certificate key", keyPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	if keyText, err = openKey(keyText, passwords); err != nil {
		return tls.Certificate{}, &conf.Error{Msg: fmt.Sprintf("cannot load certificate key \"%s\": PEM_read_bio_PrivateKey() failed "+
			"(SSL: error:1C800064:Provider routines::%v)", keyPath, err)}
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		err = &conf.Error{Msg: fmt.Sprintf(`SSL_CTX_use_PrivateKey("%s") failed (%v)`, keyPath, err)}
	}
	return pair, err
}

// openKey takes the password off the key in a file, if it has one.
func openKey(text []byte, passwords []string) ([]byte, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return text, nil
		}
		if !openssl.IsEncrypted(block) {
			continue
		}
		err := errNoPassword
		for _, password := range passwords {
			var plain *pem.Block
			if plain, err = openssl.DecryptKey(block, []byte(password)); err == nil && isKey(plain) {
				return pem.EncodeToMemory(plain), nil
			}
		}
		return nil, cmp.Or(err, errNoPassword)
	}
}

// errNoPassword is a key that none of the passwords opens.
var errNoPassword = errors.New("bad decrypt")

// isKey tells a key from what a wrong password makes of one.
func isKey(block *pem.Block) bool {
	_, pkcs8 := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(block.Bytes)
	_, ec := x509.ParseECPrivateKey(block.Bytes)
	return pkcs8 == nil || pkcs1 == nil || ec == nil
}

// ReadPasswords reads a file of passwords, one a line (ngx_ssl_read_password_file).
func ReadPasswords(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open() \"%s\" failed (%s)", path, conf.Errno(err))
	}
	var list []string
	for line := range strings.SplitSeq(string(text), "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			list = append(list, line)
		}
	}
	return list, nil
}

func readPEM(what, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		reason := conf.Strerror(err)
		return nil, &conf.Error{Msg: fmt.Sprintf(`cannot load %s "%s": BIO_new_file() failed (SSL: error:80000002:system library::%s:`+
			`calling fopen(%s, r) error:10000080:BIO routines::no such file)`, what, path, reason, path), Outside: true}
	}
	if block, _ := pem.Decode(text); block == nil {
		return nil, &conf.Error{Msg: fmt.Sprintf(`cannot load %s "%s": PEM_read_bio_X509_AUX() failed `+
			`(SSL: error:0480006C:PEM routines::no start line)`, what, path)}
	}
	return text, nil
}

// LoadTrusted reads the certificates of a file, none without a path.
func LoadTrusted(path string) (list []*x509.Certificate, err error) {
	failed := &conf.Error{Msg: fmt.Sprintf("SSL_CTX_load_verify_locations(\"%s\") failed", path)}
	blocks, err := pemBlocks(path)
	if err != nil {
		return nil, missing(failed, path, err)
	}
	for _, block := range blocks {
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, failed
		}
		list = append(list, c)
	}
	if path != "" && len(list) == 0 {
		return nil, failed
	}
	return list, nil
}

// LoadCRLs reads the lists of revoked certificates of a file, none without a path.
func LoadCRLs(path string) (list []*x509.RevocationList, err error) {
	failed := &conf.Error{Msg: fmt.Sprintf("X509_LOOKUP_load_file(\"%s\") failed", path)}
	blocks, err := pemBlocks(path)
	if err != nil {
		return nil, missing(failed, path, err)
	}
	for _, block := range blocks {
		if block.Type != "X509 CRL" {
			continue
		}
		l, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, failed
		}
		list = append(list, l)
	}
	if path != "" && len(list) == 0 {
		return nil, failed
	}
	return list, nil
}

// missing is the complaint about a file that cannot be opened, in OpenSSL's words.
func missing(failed *conf.Error, path string, err error) error {
	failed.Outside = errors.Is(err, fs.ErrNotExist)
	if failed.Outside {
		failed.Msg += fmt.Sprintf(" (SSL: error:80000002:system library::No such file or directory:calling fopen(%s, r) "+
			"error:10000080:BIO routines::no such file error:05880002:x509 certificate routines::system lib)", path)
	}
	return failed
}

func pemBlocks(path string) (list []*pem.Block, err error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	for err == nil {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		list = append(list, block)
	}
	return list, err
}

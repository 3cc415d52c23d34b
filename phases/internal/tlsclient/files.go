package tlsclient

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/moonphase/moonphase/phases/conf"
)

// LoadKeyPair reads a certificate chain and its key.
func LoadKeyPair(certPath, keyPath string) (tls.Certificate, error) {
	certText, err := readPEM("certificate", certPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyText, err := readPEM("certificate key", keyPath)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		err = &conf.Error{Msg: fmt.Sprintf(`SSL_CTX_use_PrivateKey("%s") failed (%v)`, keyPath, err)}
	}
	return pair, err
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
		failed.Outside = errors.Is(err, fs.ErrNotExist)
		return nil, failed
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
		failed.Outside = errors.Is(err, fs.ErrNotExist)
		return nil, failed
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

package openssl

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"hash"
)

// IsEncrypted tells whether a key in a file is under a password.
func IsEncrypted(block *pem.Block) bool {
	return block.Type == "ENCRYPTED PRIVATE KEY" || x509.IsEncryptedPEMBlock(block) //nolint:staticcheck // old files are like that
}

// DecryptKey gives the key in a file as it is without its password: what OpenSSL writes
// today (PKCS #8 with PBES2 and AES), and what it used to write. The error says that the
// password is wrong, or that something else is in use.
func DecryptKey(block *pem.Block, password []byte) (*pem.Block, error) {
	if block.Type != "ENCRYPTED PRIVATE KEY" {
		der, err := x509.DecryptPEMBlock(block, password) //nolint:staticcheck // as above
		return &pem.Block{Type: block.Type, Bytes: der}, err
	}
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	var params struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	if _, err := asn1.Unmarshal(block.Bytes, &key); err != nil {
		return nil, err
	}
	if !key.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, errUnsupported
	}
	if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, err
	}
	der, err := decryptPBES2(params.KDF, params.Cipher, key.Data, password)
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err
}

var (
	errUnsupported = errors.New("unsupported")
	errPassword    = errors.New("bad decrypt")

	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	// pseudoRandom are the functions of PBKDF2 that are in use, by the last number of
	// their name: hmacWithSHA1 and those of SHA-2.
	pseudoRandom = map[int]func() hash.Hash{7: sha1.New, 9: sha256.New, 10: sha512.New384, 11: sha512.New}
	// keySizes are those of AES in CBC mode, likewise.
	keySizes = map[int]int{2: 16, 22: 24, 42: 32}

	hmacPrefix = asn1.ObjectIdentifier{1, 2, 840, 113549, 2}
	aesPrefix  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1}
)

// maxIterations bounds the work that a file may ask for.
const maxIterations = 10_000_000

// decryptPBES2 is PBES2 of PKCS #5 (RFC 8018, 6.2).
func decryptPBES2(kdf, enc pkix.AlgorithmIdentifier, data, password []byte) ([]byte, error) {
	var params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	var iv []byte
	if !kdf.Algorithm.Equal(oidPBKDF2) {
		return nil, errUnsupported
	}
	if _, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &params); err != nil {
		return nil, err
	}
	newHash := sha1.New
	if oid := params.PRF.Algorithm; len(oid) > 0 {
		newHash = pseudoRandom[last(oid, hmacPrefix)]
	}
	size := keySizes[last(enc.Algorithm, aesPrefix)]
	if _, err := asn1.Unmarshal(enc.Parameters.FullBytes, &iv); newHash == nil || size == 0 || err != nil || len(iv) != aes.BlockSize ||
		params.Iterations < 1 || params.Iterations > maxIterations {
		return nil, errUnsupported
	}
	key, err := pbkdf2.Key(newHash, string(password), params.Salt, params.Iterations, size)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errPassword
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(c, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, errPassword
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, errPassword
		}
	}
	return plain[:len(plain)-pad], nil
}

// last is the number behind prefix in an identifier, 0 when it is another's.
func last(oid, prefix asn1.ObjectIdentifier) int {
	if len(oid) != len(prefix)+1 || !oid[:len(prefix)].Equal(prefix) {
		return 0
	}
	return oid[len(prefix)]
}

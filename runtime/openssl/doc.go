// Package openssl says what OpenSSL 3 would say, upon Go's crypto/x509 and
// crypto/tls: which peer certificate is good and by what number and words it is
// not (Verifier), which host name it stands for (MatchesHost), which cipher
// suites a cipher list selects (CipherSuites) and what the commands of
// *_ssl_conf_command do (Command). Configurations and scripts are written in
// OpenSSL's words and compare them; the cryptography itself is Go's.
package openssl

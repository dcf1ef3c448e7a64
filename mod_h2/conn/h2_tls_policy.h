/*
 * Which TLS is good enough for HTTP/2 where H2ModernTLSOnly is on.
 *
 * Constant tables and pure functions: any thread, no state, no allocation.
 */
#ifndef H2_TLS_POLICY_H
#define H2_TLS_POLICY_H

/* Is it TLS 1.2 or better with a cipher that is not in the list of prohibited
 * ones of RFC 9113, appendix A (9.2.2)? The arguments are mod_ssl's variables
 * SSL_PROTOCOL ("TLSv1.3") and SSL_CIPHER, the latter in OpenSSL's spelling
 * (ECDHE-RSA-AES128-SHA) or the RFC's (TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA).
 * NULL or an empty text is not modern; a cipher that is unknown here is, as the
 * RFC's list is closed and must not be widened by guessing. */
int h2_tls_policy_is_modern(const char *protocol, const char *cipher);

#endif /* H2_TLS_POLICY_H */

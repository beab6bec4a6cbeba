//! Mutual TLS that accepts exactly one client certificate.
//!
//! go-plugin sends a self-signed P-521 certificate that is its own authority. A verifier that builds a path
//! rejects such a certificate, and one that accepts it as a root also accepts every certificate it signed.
//! Therefore the certificate must equal the announced one byte for byte, and the client must prove that it
//! has the private key.

use std::sync::Arc;

use p521::ecdsa::signature::Verifier;
use p521::ecdsa::{Signature, VerifyingKey};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The TLS configuration of the server, and the certificate that the handshake line announces.
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) certificate: CertificateDer<'static>,
}

/// Creates a new server certificate, and a configuration that accepts only the client certificate
/// `client_pem`.
pub(crate) fn identity(client_pem: &str) -> Result<Identity, Box<dyn std::error::Error>> {
    let expected = CertificateDer::from_pem_slice(client_pem.as_bytes())
        .map_err(|error| format!("PLUGIN_CLIENT_CERT is not a PEM certificate: {error:?}"))?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?;
    let certificate = certificate.der().clone();
    let private = PrivateKeyDer::try_from(key.serialize_der())?;

    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        Arc::new(ExactCertificate { expected, algorithms: crypto.signature_verification_algorithms });
    let mut config = ServerConfig::builder_with_provider(crypto)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.clone()], private)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Identity { config: Arc::new(config), certificate })
}

#[derive(Debug)]
struct ExactCertificate {
    expected: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ExactCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *end_entity == self.expected {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is supported".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // ring does not support P-521, the curve of go-plugin's certificates.
        if signature.scheme != SignatureScheme::ECDSA_NISTP521_SHA512 {
            return rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms);
        }
        let bad = |_| Error::from(CertificateError::BadSignature);
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let point = &parsed.public_key().subject_public_key.data;
        let key = VerifyingKey::from_sec1_bytes(point).map_err(bad)?;
        let signature = Signature::from_der(signature.signature()).map_err(bad)?;
        key.verify(message, &signature).map_err(bad)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        schemes.push(SignatureScheme::ECDSA_NISTP521_SHA512);
        schemes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, IsCa, Issuer, KeyUsagePurpose};
    use rustls::ClientConfig;
    use rustls::client::ResolvesClientCert;
    use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::ServerName;
    use rustls::sign::CertifiedKey;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    #[derive(Debug)]
    struct TrustAll;

    impl ServerCertVerifier for TrustAll {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
        }
    }

    /// Presents a certificate and a key without checking that they match.
    #[derive(Debug)]
    struct Present(Option<Arc<CertifiedKey>>);

    impl ResolvesClientCert for Present {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            self.0.clone()
        }

        fn has_certs(&self) -> bool {
            self.0.is_some()
        }
    }

    /// A self-signed authority like go-plugin's.
    fn authority() -> (CertificateDer<'static>, KeyPair, CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let certificate = params.clone().self_signed(&key).unwrap();
        (certificate.der().clone(), key, params)
    }

    fn certified(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Client {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
        Client::Presents(Arc::new(CertifiedKey::new(chain, key)))
    }

    /// The credentials of a client.
    enum Client {
        Plaintext,
        WithoutCertificate,
        Presents(Arc<CertifiedKey>),
    }

    /// True if the server echoes a byte of the client.
    async fn admitted(server: Arc<ServerConfig>, client: Client) -> bool {
        let (near, far) = tokio::io::duplex(1 << 16);
        let serve = async move {
            let mut stream = TlsAcceptor::from(server).accept(far).await.ok()?;
            let mut byte = [0];
            stream.read_exact(&mut byte).await.ok()?;
            stream.write_all(&byte).await.ok()
        };
        let ask = async move {
            let mut byte = [0];
            let presented = match client {
                Client::Plaintext => {
                    let mut stream = near;
                    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.ok()?;
                    stream.read_exact(&mut byte).await.ok()?;
                    // A TLS alert is a response, but a rejection.
                    return (byte != [0x15]).then_some(());
                }
                Client::WithoutCertificate => None,
                Client::Presents(certified) => Some(certified),
            };
            let config =
                ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                    .with_protocol_versions(&[&rustls::version::TLS13])
                    .unwrap()
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(TrustAll))
                    .with_client_cert_resolver(Arc::new(Present(presented)));
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, near).await.ok()?;
            stream.write_all(&[7]).await.ok()?;
            stream.read_exact(&mut byte).await.ok()?;
            (byte == [7]).then_some(())
        };
        let (served, asked) = tokio::join!(serve, ask);
        served.is_some() && asked.is_some()
    }

    #[tokio::test]
    async fn exactly_the_announced_certificate_is_let_in() {
        let (announced, key, params) = authority();
        let pem = pem(&announced);
        let server = || identity(&pem).unwrap().config;
        assert!(admitted(server(), certified(vec![announced.clone()], &key)).await);

        let (other, other_key, _) = authority();
        assert!(
            !admitted(server(), certified(vec![other], &other_key)).await,
            "another self-signed certificate"
        );

        let leaf_key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(params, &key);
        let leaf = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&leaf_key, &issuer)
            .unwrap();
        let chain = vec![leaf.der().clone(), announced.clone()];
        assert!(!admitted(server(), certified(chain, &leaf_key)).await, "a certificate that it signed");

        assert!(!admitted(server(), certified(vec![announced], &other_key)).await, "another key");
        assert!(!admitted(server(), Client::WithoutCertificate).await, "no certificate");
        assert!(!admitted(server(), Client::Plaintext).await, "plaintext");
    }

    fn pem(der: &CertificateDer<'_>) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// Signs a handshake with a P-521 key, which ring does not support.
    #[derive(Debug)]
    struct P521Key(Arc<p521::ecdsa::SigningKey>);

    impl rustls::sign::SigningKey for P521Key {
        fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
            let offered = offered.contains(&SignatureScheme::ECDSA_NISTP521_SHA512);
            offered.then(|| Box::new(Self(self.0.clone())) as Box<dyn rustls::sign::Signer>)
        }

        fn algorithm(&self) -> rustls::SignatureAlgorithm {
            rustls::SignatureAlgorithm::ECDSA
        }
    }

    impl rustls::sign::Signer for P521Key {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
            use p521::ecdsa::signature::Signer;
            let signature: Signature = self.0.sign(message);
            Ok(signature.to_der().as_bytes().to_vec())
        }

        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::ECDSA_NISTP521_SHA512
        }
    }

    /// go-plugin's certificates use P-521. The private key of this one is 66 bytes of 1.
    #[tokio::test]
    async fn a_certificate_of_p521_is_let_in_with_its_key_and_not_with_another() {
        let pem = include_str!("../tests/p521.pem");
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        for (byte, expected) in [(1, true), (2, false)] {
            let mut bytes = [byte; 66];
            // The order of the curve has 521 bits.
            bytes[0] = 1;
            let key = Arc::new(p521::ecdsa::SigningKey::from_slice(&bytes).unwrap());
            let key = CertifiedKey::new(vec![certificate.clone()], Arc::new(P521Key(key)));
            let server = identity(pem).unwrap().config;
            assert_eq!(admitted(server, Client::Presents(Arc::new(key))).await, expected);
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(identity("hello").is_err());
    }
}

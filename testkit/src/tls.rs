use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use tempfile::TempDir;

use crate::RedisServer;

/// A certificate authority that nobody trusts but who is told to.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

/// What a client shows of itself: a certificate and its key, both in DER, the key as PKCS #8.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Identity {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

impl Authority {
    /// Makes an authority with a key of its own.
    ///
    /// # Panics
    ///
    /// Where the machine gives out no random numbers.
    #[must_use]
    pub fn new() -> Self {
        let mut params = named("an authority of larder's tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The authority's own certificate, in DER: what to trust.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.der
    }

    /// Makes a certificate for a client.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut params = named("a client of larder's tests");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity {
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
        }
    }
}

/// Names of their own: OpenSSL takes a certificate whose issuer has its name for one that signed itself.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// What a server needs to speak TLS, in files that go with this value.
#[derive(Debug)]
pub(crate) struct Certificates {
    args: [String; 6],
    _dir: TempDir,
}

impl Certificates {
    /// Those of a server at 127.0.0.1.
    pub(crate) fn local(authority: &Authority) -> Self {
        Self::of(authority, SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)))
    }

    fn of(authority: &Authority, name: SanType) -> Self {
        let mut params = named("a server of larder's tests");
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &authority.issuer).expect("a certificate");

        let dir = TempDir::with_prefix("larder-tls-").unwrap_or_else(|error| panic!("no directory: {error}"));
        let file = |name: &str, content: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            path.display().to_string()
        };
        let args = [
            "--tls-cert-file".to_owned(),
            file("server.crt", &certificate.pem()),
            "--tls-key-file".to_owned(),
            file("server.key", &key.serialize_pem()),
            "--tls-ca-cert-file".to_owned(),
            file("authority.crt", &authority.pem),
        ];
        Self { args, _dir: dir }
    }

    /// The arguments that have a server read them.
    pub(crate) fn args(&self) -> Vec<&str> {
        self.args.iter().map(String::as_str).collect()
    }
}

/// A server that speaks TLS on a second port; the first is the testkit's own.
#[derive(Debug)]
pub struct TlsServer {
    server: RedisServer,
    port: u16,
    _certificates: Certificates,
}

impl TlsServer {
    /// Starts a server with a certificate of `authority` for 127.0.0.1.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`].
    #[must_use]
    pub fn start(authority: &Authority) -> Self {
        Self::launch(authority, SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)), "no")
    }

    /// [`start`](Self::start) of one that asks clients for a certificate of the same authority.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`].
    #[must_use]
    pub fn start_mutual(authority: &Authority) -> Self {
        Self::launch(authority, SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)), "yes")
    }

    /// [`start`](Self::start) of one whose certificate is for the host `name` and not for 127.0.0.1.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`], and where `name` is no host name.
    #[must_use]
    pub fn start_named(authority: &Authority, name: &str) -> Self {
        Self::launch(authority, SanType::DnsName(name.try_into().expect("a host name")), "no")
    }

    fn launch(authority: &Authority, name: SanType, auth_clients: &str) -> Self {
        let certificates = Certificates::of(authority, name);
        let port = RedisServer::reserve_port();
        let port_arg = port.to_string();
        let mut args = certificates.args();
        args.extend(["--tls-port", &port_arg, "--tls-auth-clients", auth_clients]);
        let server = RedisServer::start_with(&args);
        Self {
            server,
            port,
            _certificates: certificates,
        }
    }

    /// The URL of database 0 under TLS.
    #[must_use]
    pub fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}/0", self.port)
    }

    /// The port that speaks TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server, over its port without TLS.
    #[must_use]
    pub fn server(&self) -> &RedisServer {
        &self.server
    }
}

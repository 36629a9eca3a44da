//! Connections under TLS, to a server with a certificate of an authority of the test's own.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use larder::ErrorKind;
use larder_fred::{
    ConnectionManager, RedisConfig,
    fred::{
        rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
        types::config::TlsConnector,
    },
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tempfile::TempDir;
use testkit::RedisServer;

use crate::support::{block_on, round_trip};

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap().der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// What a client needs that trusts this authority and no other.
    fn trusted(&self) -> TlsConnector {
        let mut authorities = RootCertStore::empty();
        authorities.add(self.certificate.clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authorities)
            .with_no_client_auth();
        TlsConnector::from(client)
    }
}

/// A server that speaks TLS on a second port; the first is the testkit's own.
struct TlsServer {
    server: RedisServer,
    port: u16,
    _certificate: TempDir,
}

impl TlsServer {
    fn start(authority: &Authority, name: SanType) -> Self {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority.issuer).unwrap();

        let dir = TempDir::with_prefix("larder-tls-").unwrap();
        let file = |name: &str, content: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = file("server.crt", certificate.pem());
        let key = file("server.key", key.serialize_pem());
        let port = RedisServer::reserve_port();
        let server = RedisServer::start_with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "no",
        ]);
        Self {
            server,
            port,
            _certificate: dir,
        }
    }

    fn config(&self) -> RedisConfig {
        RedisConfig::from_url(&format!("rediss://127.0.0.1:{}/0", self.port))
            .unwrap()
            .with_deadline(Duration::from_secs(5))
            .with_connect_timeout(Duration::from_secs(5))
    }
}

fn loopback() -> SanType {
    SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[test]
fn a_server_with_a_trusted_certificate_is_used() {
    let authority = Authority::new();
    let tls = TlsServer::start(&authority, loopback());
    for resp3 in [true, false] {
        block_on(async {
            let config = tls.config().with_resp3(resp3).with_tls(authority.trusted());
            let manager = ConnectionManager::from_config_strict(config).await.unwrap();
            round_trip(&manager.backend(), "k").await;
            manager.close().await;
        });
    }
    assert_eq!(tls.server.command::<String>(&["GET", "k"]), "value");
}

#[test]
fn a_certificate_that_is_not_trusted_is_an_error_at_once() {
    let authority = Authority::new();
    let ours = TlsServer::start(&authority, loopback());
    let elsewhere = TlsServer::start(&authority, SanType::DnsName("cache.internal".try_into().unwrap()));
    for (config, reason) in [
        (ours.config().with_tls(Authority::new().trusted()), "InvalidCertificate"),
        (elsewhere.config().with_tls(authority.trusted()), "NotValidForName"),
        // The authorities of the operating system.
        (ours.config(), "InvalidCertificate"),
    ] {
        let began = Instant::now();
        let error = block_on(ConnectionManager::from_config(config)).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_server_without_tls_is_an_error_at_once() {
    let server = RedisServer::start();
    block_on(async {
        let url = format!("rediss://127.0.0.1:{}/0", server.port());
        let config = RedisConfig::from_url(&url)
            .unwrap()
            .with_tls(Authority::new().trusted());
        let began = Instant::now();
        let error = ConnectionManager::from_config_strict(config).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(2), "{error}");
    });
}

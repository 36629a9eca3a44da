//! Outages, clusters, sentinels and TLS, as for every client.

use larder::Result;
use larder_fred::{ConnectionManager, FredBackend, RedisConfig};
use redis_suite::{Client, Settings};

struct Fred(ConnectionManager);

impl Client for Fred {
    type Backend = FredBackend;

    async fn connect(settings: Settings) -> Result<Self> {
        ConnectionManager::from_config(config(&settings)?).await.map(Self)
    }

    async fn connect_strict(settings: Settings) -> Result<Self> {
        ConnectionManager::from_config_strict(config(&settings)?)
            .await
            .map(Self)
    }

    fn backend(&self) -> FredBackend {
        self.0.backend()
    }

    async fn ping(&self) -> Result<()> {
        self.0.ping().await
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

fn config(settings: &Settings) -> Result<RedisConfig> {
    let mut config = RedisConfig::from_url(&settings.url)?
        .with_resp3(settings.resp3)
        .with_deadline(settings.deadline)
        .with_connect_timeout(settings.connect_timeout);
    if let Some(commands) = settings.max_in_flight {
        config = config.with_max_in_flight(commands);
    }
    #[cfg(feature = "rustls")]
    if let Some(trust) = &settings.trust {
        config = config.with_tls(tls::connector(trust));
    }
    Ok(config)
}

redis_suite::tests!(Fred);

#[cfg(feature = "rustls")]
mod tls {
    use std::sync::Arc;

    use larder_fred::fred::{
        rustls::{
            ClientConfig, RootCertStore,
            crypto::ring,
            pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
        },
        types::config::TlsConnector,
    };
    use redis_suite::Trust;

    use super::Fred;

    pub(super) fn connector(trust: &Trust) -> TlsConnector {
        let mut authorities = RootCertStore::empty();
        authorities.add(CertificateDer::from(trust.authority.clone())).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authorities);
        let client = match &trust.identity {
            None => client.with_no_client_auth(),
            Some(identity) => {
                let certificate = CertificateDer::from(identity.certificate.clone());
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
                client.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        TlsConnector::from(client)
    }

    redis_suite::tls_tests!(Fred);
}

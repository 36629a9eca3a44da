//! TLS as a URL alone asks for it.

use std::sync::Arc;

use larder::{Error, ErrorKind, Result};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Trusts the authorities of the operating system.
///
/// # Errors
///
/// Invalid input where the system has none.
pub fn system_tls() -> Result<Arc<ClientConfig>> {
    let mut authorities = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = authorities.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found
            .errors
            .first()
            .map_or_else(|| "there is none".to_owned(), ToString::to_string);
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("no certificate authority of the operating system can be used: {why}; see RedisConfig::with_tls"),
        ));
    }
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::InvalidInput, error.to_string()).with_source(error))?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(Arc::new(client))
}

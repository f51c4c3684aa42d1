//! The media host over HTTPS, for clients whose URLs can be nothing else.
//!
//! The sandbox is its own authority: whoever shall believe it is told so, with the PEM file that it
//! writes (for Node, `NODE_EXTRA_CA_CERTS`). The authority is kept like the network's keys; the
//! certificate of the host is made anew at every start and names this machine only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::error::SandboxError;
use crate::listen::Secure;
use crate::private;

/// The name of the file with the authority's certificate.
const FILE: &str = "media-ca.pem";
/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Who vouches for the media host. As it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Authority {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn generate() -> Result<Self, SandboxError> {
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = authority_params().self_signed(&key).map_err(failed)?;
        Ok(Self { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Writes the certificate into a folder and says where.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        private::make_folder(folder)?;
        let path = folder.join(FILE);
        private::make(&path)?;
        std::fs::write(&path, &self.certificate)?;
        std::path::absolute(path)
    }

    fn acceptor(&self, address: IpAddr) -> Result<TlsAcceptor, SandboxError> {
        let issuer = Issuer::new(authority_params(), KeyPair::from_pem(&self.key).map_err(failed)?);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = host_params(address)?.signed_by(&key, &issuer).map_err(failed)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key)
            });
        let mut config = config.map_err(|error| SandboxError::Storage(error.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn failed(error: rcgen::Error) -> SandboxError {
    SandboxError::Storage(format!("the media host has no certificate: {error}"))
}

/// The same at every start, but for the key: certificates name their issuer by it.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "wapid sandbox media authority");
    params
}

fn host_params(address: IpAddr) -> Result<CertificateParams, SandboxError> {
    let mut names = vec!["localhost".to_owned()];
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), address];
    for address in addresses.iter().map(ToString::to_string) {
        if !names.contains(&address) {
            names.push(address);
        }
    }
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "wapid sandbox media host");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// How clients on this machine reach a listener, as the host of a URL.
pub(crate) fn name_of(address: SocketAddr) -> String {
    let reached = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(reached, address.port()).to_string()
}

/// How a connection becomes one of HTTPS.
#[derive(Clone)]
pub(crate) struct KeyAgreement(TlsAcceptor);

impl KeyAgreement {
    pub(crate) fn new(authority: &Authority, address: IpAddr) -> Result<Self, SandboxError> {
        Ok(Self(authority.acceptor(address)?))
    }
}

impl Secure for KeyAgreement {
    type Stream = TlsStream<TcpStream>;

    async fn secure(&self, stream: TcpStream) -> Option<Self::Stream> {
        match tokio::time::timeout(HANDSHAKE, self.0.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                debug!(%error, "A client of the media host agreed on no keys");
                None
            }
            Err(_) => {
                debug!("A client of the media host did not finish its handshake");
                None
            }
        }
    }
}

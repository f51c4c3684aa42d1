//! Certificates for tests: an authority, servers that it vouches for, and one that vouches for itself.
//!
//! The test binaries that need it compile this file by its path, as they do `redis.rs`.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Where a server's certificate and its key lie.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn write(folder: &Path, name: &str, certificate: &str, key: &str) -> Files {
    let files =
        Files { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) };
    std::fs::write(&files.certificate, certificate).expect("a file");
    std::fs::write(&files.key, key).expect("a file");
    files
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("a certificate") }
    }

    /// Its own certificate, as whoever trusts it has it.
    pub fn file(&self, folder: &Path) -> PathBuf {
        let path = folder.join("authority.pem");
        std::fs::write(&path, self.issuer.pem()).expect("a file");
        path
    }

    /// A server by a name or an address.
    pub fn vouch(&self, folder: &Path, host: &str) -> Files {
        let mut params = CertificateParams::new([host.to_owned()]).expect("a host");
        params.distinguished_name = named(host);
        let key = KeyPair::generate().expect("a key");
        let issuer: &Issuer<'_, KeyPair> = &self.issuer;
        let signed = params.signed_by(&key, issuer).expect("a certificate");
        write(folder, "server", &signed.pem(), &key.serialize_pem())
    }
}

/// A server that nobody vouches for but itself: an authority's certificate too, as `openssl req -x509` makes it, or no
/// authority's.
pub fn self_signed(folder: &Path, host: &str, is_authority: bool) -> Files {
    let mut params = CertificateParams::new([host.to_owned()]).expect("a host");
    params.distinguished_name = named(host);
    params.is_ca = if is_authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    let key = KeyPair::generate().expect("a key");
    let signed = params.self_signed(&key).expect("a certificate");
    write(folder, "server", &signed.pem(), &key.serialize_pem())
}

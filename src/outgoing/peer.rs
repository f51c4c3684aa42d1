//! A machine that a tenant names and to which another protocol than HTTP of ours is spoken: a proxy.
//!
//! It is vetted as a URL's host is, at any port: proxies have no usual one. Connections to it are made elsewhere, with
//! the names of [`PeerNames`], which answers vetted addresses only. A host that is an address needs no name server and
//! is vetted when it is named.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::{Name, Resolve, Resolving};
use tokio::time::timeout;
use url::Host;

use super::address::is_public;
use super::allow::is_name;
use super::fetch::{CONNECT_TIMEOUT, Failure, Outgoing};
use super::names::Asker;
use super::resolve::Vetted;
use super::target::{Reach, Refusal, is_local};

/// A host and its port, vetted. There is no other way to get [`PeerNames`].
#[derive(Clone)]
pub struct Peer {
    host: Host<String>,
    port: u16,
    names: PeerNames,
}

/// Whoever dials a [`Peer`] asks here for its addresses, at each connect.
#[derive(Clone)]
pub struct PeerNames {
    vetted: Vetted,
    asker: Asker,
}

impl Peer {
    /// In one spelling: an IPv4 address in its usual one, IPv6 in brackets, a name in ASCII and without a dot at its
    /// end.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn names(&self) -> PeerNames {
        self.names.clone()
    }

    /// Whether its name leads where it may, as of now.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::NoSuchHost`] or [`Failure::TimedOut`].
    pub async fn look_up(&self) -> Result<(), Failure> {
        let Host::Domain(name) = &self.host else { return Ok(()) };
        match timeout(CONNECT_TIMEOUT, self.names.look_up(name)).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(Err(problem)) => {
                Err(problem.downcast_ref::<Refusal>().map_or(Failure::NoSuchHost, |no| Failure::Refused(*no)))
            }
            Ok(Ok(_)) => Ok(()),
        }
    }
}

impl PeerNames {
    pub fn look_up(&self, name: &str) -> Resolving {
        self.vetted.clone().look_up(self.asker.clone(), name)
    }
}

impl Resolve for PeerNames {
    fn resolve(&self, name: Name) -> Resolving {
        self.look_up(name.as_str())
    }
}

impl Outgoing {
    /// A host that a tenant names, as text of any spelling. Asks nobody; a name's addresses are vetted by
    /// [`Peer::look_up`] and on every connect.
    ///
    /// # Errors
    /// [`Refusal::NotAUrl`] for what is no host, [`Refusal::LocalName`] and [`Refusal::Address`].
    pub fn check_peer(&self, host: &str, port: u16, asker: Asker) -> Result<Peer, Refusal> {
        // `127.1` and `0x7f.1` are addresses, though a URL of an unusual scheme holds them as names.
        let host = match Host::parse(host).map_err(|_| Refusal::NotAUrl)? {
            Host::Domain(name) if is_name(&name) => Host::Domain(name.trim_end_matches('.').to_owned()),
            Host::Domain(_) => return Err(Refusal::NotAUrl),
            host => host,
        };
        let allow = self.allow();
        let address = match &host {
            Host::Domain(_) => None,
            Host::Ipv4(v4) => Some(IpAddr::V4(*v4)),
            Host::Ipv6(v6) => Some(IpAddr::V6(*v6)),
        };
        let reach = match (&host, address) {
            (Host::Domain(name), _) if allow.name(name) => Reach::Allowed { or: Refusal::Address },
            (Host::Domain(name), _) if is_local(name) && allow.has_nets() => {
                Reach::Allowed { or: Refusal::LocalName }
            }
            (Host::Domain(name), _) if is_local(name) => return Err(Refusal::LocalName),
            (_, Some(address)) if !allow.address(address) && !is_public(address) => {
                return Err(Refusal::Address);
            }
            _ => Reach::Internet,
        };
        let vetted = Vetted { allow: Arc::clone(allow), reach, names: self.names().clone() };
        Ok(Peer { host, port, names: PeerNames { vetted, asker } })
    }
}

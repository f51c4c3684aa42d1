//! Names to vetted addresses, on every connect.
//!
//! The check of a URL cannot be trusted later: a name may answer with a public address when it is
//! registered and with 127.0.0.1 when it is called. So the client asks here, and dials what it hears.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::address::is_public;
use super::allow::Allow;
use super::target::{Reach, Refusal};

/// More addresses than anybody tries.
const ADDRESSES_MAX: usize = 16;
/// A lookup holds a thread until the name server answers or the system gives up, whoever still waits.
const LOOKUPS_AT_ONCE: usize = 64;

/// Nobody knows the name, or nobody could be asked.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the name has no address")]
pub(super) struct NoAddress;

/// A resolver that answers only what may be dialled; otherwise with a [`Refusal`] or [`NoAddress`].
pub(super) struct Vetted {
    pub(super) allow: Arc<Allow>,
    pub(super) reach: Reach,
    pub(super) names: Arc<dyn Resolve>,
}

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow, reach) = (self.allow.clone(), self.reach);
        let asked = name.as_str().trim_end_matches('.').to_owned();
        let answer = self.names.resolve(name);
        Box::pin(async move {
            let heard: Vec<SocketAddr> = answer.await.map_err(|_| NoAddress)?.collect();
            let vetted = vet(&allow, reach, &asked, &heard)?;
            if vetted.is_empty() {
                return Err(NoAddress.into());
            }
            Ok(Box::new(vetted.into_iter().take(ADDRESSES_MAX)) as Addrs)
        })
    }
}

/// What of an answer may be dialled.
///
/// A name of the internet with one address that is not, is refused as a whole: it is a trick or a
/// mistake. A name that is meant to be inside may well have others, as localhost has `::1`.
fn vet(allow: &Allow, reach: Reach, name: &str, heard: &[SocketAddr]) -> Result<Vec<SocketAddr>, Refusal> {
    // Where it says `::ffff:10.0.0.1`, 10.0.0.1 is dialled, and vetted.
    let heard = heard.iter().map(|a| SocketAddr::new(a.ip().to_canonical(), a.port()));
    let is_allowed = |ip: IpAddr| allow.name(name) || allow.address(ip);
    match reach {
        Reach::Internet => heard
            .map(|a| (is_allowed(a.ip()) || is_public(a.ip())).then_some(a).ok_or(Refusal::Address))
            .collect(),
        Reach::Allowed { or } => {
            let kept: Vec<_> = heard.clone().filter(|a| is_allowed(a.ip())).collect();
            if kept.is_empty() && heard.count() > 0 { Err(or) } else { Ok(kept) }
        }
    }
}

/// The machine's own name service.
pub(super) struct System(Arc<Semaphore>);

impl System {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)))
    }
}

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        let turns = self.0.clone();
        Box::pin(async move {
            let turn = turns.acquire_owned().await?;
            let found = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                (name.as_str(), 0).to_socket_addrs()
            });
            Ok(Box::new(found.await??) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Reach = Reach::Allowed { or: Refusal::Address };

    fn says(allow: &str, reach: Reach, addresses: &[&str]) -> Result<Vec<String>, Refusal> {
        let heard: Vec<_> = addresses.iter().map(|a| SocketAddr::new(a.parse().unwrap(), 0)).collect();
        vet(&allow.parse().unwrap(), reach, "hooks.example", &heard)
            .map(|kept| kept.iter().map(|a| a.ip().to_string()).collect())
    }

    #[test]
    fn one_bad_address_spoils_a_name_of_the_internet() {
        assert_eq!(says("", Reach::Internet, &["8.8.8.8", "2606:4700::1"]).unwrap().len(), 2);
        assert_eq!(says("", Reach::Internet, &["8.8.8.8", "10.0.0.1"]), Err(Refusal::Address));
        assert_eq!(says("", Reach::Internet, &["::ffff:8.8.8.8"]).unwrap(), ["8.8.8.8"]);
        assert_eq!(says("", Reach::Internet, &["::ffff:10.0.0.1"]), Err(Refusal::Address));
        assert_eq!(says("10.0.0.0/8", Reach::Internet, &["8.8.8.8", "10.0.0.1"]).unwrap().len(), 2);
    }

    #[test]
    fn what_is_allowed_reaches_nothing_else() {
        assert_eq!(says("127.0.0.0/8", ALLOWED, &["::1", "127.0.0.1"]).unwrap(), ["127.0.0.1"]);
        assert_eq!(says("127.0.0.0/8", ALLOWED, &["10.0.0.1"]), Err(Refusal::Address));
        assert_eq!(says("127.0.0.0/8", ALLOWED, &["8.8.8.8"]), Err(Refusal::Address));
        assert_eq!(says("hooks.example", ALLOWED, &["10.0.0.1"]).unwrap(), ["10.0.0.1"]);
        assert!(says("127.0.0.0/8", ALLOWED, &[]).unwrap().is_empty());
    }
}

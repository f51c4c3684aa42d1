//! Names to vetted addresses, on every connect.
//!
//! The check of a URL cannot be trusted later: a name may answer with a public address when it is
//! registered and with 127.0.0.1 when it is called. So the client asks here, and dials what it hears.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;
use super::allow::Allow;
use super::names::{Asker, Names, NoAddress};
use super::target::{Reach, Refusal};

/// More addresses than anybody tries.
const ADDRESSES_MAX: usize = 16;

tokio::task_local! {
    /// Who waits for the request that is polled. One client with its open connections serves all tenants, and tells
    /// its resolver a name and nothing else.
    pub(super) static ASKER: Asker;
}

/// A resolver that answers only what may be dialled; otherwise with a [`Refusal`] or [`NoAddress`].
#[derive(Clone)]
pub(super) struct Vetted {
    pub(super) allow: Arc<Allow>,
    pub(super) reach: Reach,
    pub(super) names: Names,
}

impl Vetted {
    /// The addresses of a name that may be dialled.
    pub(super) fn look_up(self, asker: Asker, name: &str) -> Resolving {
        let name = name.trim_end_matches('.').to_owned();
        Box::pin(async move {
            let heard = self.names.look_up(&asker, &name).await?;
            let vetted = vet(&self.allow, self.reach, &name, &heard)?;
            if vetted.is_empty() {
                return Err(NoAddress.into());
            }
            Ok(Box::new(vetted.into_iter().take(ADDRESSES_MAX)) as Addrs)
        })
    }
}

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        match ASKER.try_with(Asker::clone) {
            Ok(asker) => self.clone().look_up(asker, name.as_str()),
            // A connection that nobody waits for is not begun.
            Err(_) => Box::pin(async { Err(NoAddress.into()) }),
        }
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

//! A URL that may be fetched on behalf of a tenant, or why it may not.
//!
//! Everything that can be said without asking a name server. What a name's addresses say comes with
//! [`super::resolve`].

use std::net::IpAddr;

use url::{Host, Url};
use wapid_core::key::Mode;

use super::address::is_public;
use super::allow::{Allow, is_name};
use super::names::Asker;

const URL_MAX: usize = 2_048;
/// Where web servers are. Elsewhere are mail, databases and the like.
const PORTS: [u16; 4] = [80, 443, 8080, 8443];

/// Names that mean something inside only, by RFC 6761, RFC 6762 (appendix G), RFC 8375 and custom.
const LOCAL: [&str; 12] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "onion",
    "arpa",
];

/// A URL that was vetted. There is no other way to [`super::Outgoing::fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) url: Url,
    pub(super) reach: Reach,
    /// Whose look-up of names it is.
    pub(super) asker: Asker,
}

/// Where the addresses of a target may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public, or allowed.
    Internet,
    /// Allowed, because its name, its port or its scheme is not one of the internet; `or` is what is
    /// wrong with it elsewhere.
    Allowed { or: Refusal },
}

/// Why a URL is not fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("url is longer than {URL_MAX} characters")]
    TooLong,
    #[error("url is not a URL that can be fetched")]
    NotAUrl,
    #[error("url must begin with https://")]
    Scheme,
    #[error("url must begin with https:// in live mode")]
    NeedsHttps,
    #[error("url must not hold a user or a password")]
    UserInfo,
    #[error("url names a host of a local network")]
    LocalName,
    #[error("url leads to an address that is not on the internet")]
    Address,
    #[error("url must use port 443, 8443, 80 or 8080")]
    Port,
}

impl Refusal {
    /// For programs and for the log of attempts; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "url_too_long",
            Self::NotAUrl => "invalid_url",
            Self::Scheme => "scheme_not_allowed",
            Self::NeedsHttps => "https_required",
            Self::UserInfo => "credentials_in_url",
            Self::LocalName => "local_host",
            Self::Address => "blocked_address",
            Self::Port => "port_not_allowed",
        }
    }
}

impl Target {
    pub(super) fn check(allow: &Allow, text: &str, asker: Asker) -> Result<Self, Refusal> {
        if text.len() > URL_MAX {
            return Err(Refusal::TooLong);
        }
        // A parser drops or turns these; what a person reads should be what is fetched.
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Refusal::NotAUrl);
        }
        let mut url = Url::parse(text).map_err(|_| Refusal::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        let host = match url.host().ok_or(Refusal::NotAUrl)? {
            Host::Domain(name) if is_name(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
            Host::Domain(_) => return Err(Refusal::NotAUrl),
            Host::Ipv4(v4) => Host::Ipv4(v4),
            Host::Ipv6(v6) => Host::Ipv6(v6),
        };
        let reach = reach(allow, &url, &host, asker.mode)?;
        if let Host::Domain(name) = &host {
            url.set_host(Some(name)).map_err(|_| Refusal::NotAUrl)?;
        }
        url.set_fragment(None);
        Ok(Self { url, reach, asker })
    }

    /// As it is fetched: one spelling, no fragment.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

fn reach(allow: &Allow, url: &Url, host: &Host<String>, mode: Mode) -> Result<Reach, Refusal> {
    let of_the_internet = || {
        let port = url.port_or_known_default().unwrap_or_default();
        if matches!(host, Host::Domain(name) if is_local(name)) {
            Err(Refusal::LocalName)
        } else if !PORTS.contains(&port) && !allow.port(port) {
            Err(Refusal::Port)
        } else if mode == Mode::Live && url.scheme() == "http" {
            Err(Refusal::NeedsHttps)
        } else {
            Ok(Reach::Internet)
        }
    };
    let address = match host {
        Host::Domain(name) if allow.name(name) => return Ok(Reach::Allowed { or: Refusal::Address }),
        // Its addresses will tell: where networks are allowed, it may be in one of them.
        Host::Domain(_) => {
            return of_the_internet()
                .or_else(|or| if allow.has_nets() { Ok(Reach::Allowed { or }) } else { Err(or) });
        }
        Host::Ipv4(v4) => IpAddr::V4(*v4),
        Host::Ipv6(v6) => IpAddr::V6(*v6),
    };
    if allow.address(address) {
        Ok(Reach::Allowed { or: Refusal::Address })
    } else if is_public(address) {
        of_the_internet()
    } else {
        Err(Refusal::Address)
    }
}

pub(super) fn is_local(name: &str) -> bool {
    !name.contains('.')
        || LOCAL.iter().any(|local| name.strip_suffix(local).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use wapid_core::id::TenantId;

    use super::*;

    fn by(mode: Mode) -> Asker {
        Asker { tenant: TenantId("shop".into()), mode }
    }

    const ALLOWED: Result<Reach, Refusal> = Ok(Reach::Allowed { or: Refusal::Address });

    fn check(allow: &str, url: &str, mode: Mode) -> Result<Reach, Refusal> {
        Target::check(&allow.parse().unwrap(), url, by(mode)).map(|target| target.reach)
    }

    #[test]
    fn a_target_has_one_spelling() {
        let target =
            |url| Target::check(&Allow::default(), url, by(Mode::Live)).map(|t| t.as_str().to_owned());
        assert_eq!(
            target("https://BÜCHER.example.:443/a/../b?c#d").unwrap(),
            "https://xn--bcher-kva.example/b?c"
        );
        assert_eq!(target("https://0x08.8.2056/").unwrap(), "https://8.8.8.8/");
    }

    #[test]
    fn live_needs_https_but_towards_what_the_operator_allows() {
        assert_eq!(check("", "http://shop.example/", Mode::Live), Err(Refusal::NeedsHttps));
        assert_eq!(check("", "http://shop.example/", Mode::Test), Ok(Reach::Internet));
        assert_eq!(check("shop.example", "http://shop.example/", Mode::Live), ALLOWED);
        assert_eq!(check("10.0.0.0/8", "http://10.0.0.1:9000/", Mode::Live), ALLOWED);
        // Its addresses must be in that network, then.
        let or = Refusal::NeedsHttps;
        assert_eq!(check("10.0.0.0/8", "http://shop.example/", Mode::Live), Ok(Reach::Allowed { or }));
    }

    #[test]
    fn an_allowance_opens_what_it_names_and_nothing_else() {
        assert_eq!(check("127.0.0.0/8", "http://127.0.0.1:9/", Mode::Live), ALLOWED);
        let or = Refusal::LocalName;
        assert_eq!(check("127.0.0.0/8", "http://localhost:9/", Mode::Live), Ok(Reach::Allowed { or }));
        assert_eq!(check("127.0.0.0/8", "http://[::1]:9/", Mode::Live), Err(Refusal::Address));
        assert_eq!(check("127.0.0.0/8", "https://10.0.0.1/", Mode::Live), Err(Refusal::Address));
        assert_eq!(check("127.0.0.0/8", "http://8.8.8.8/", Mode::Live), Err(Refusal::NeedsHttps));
        assert_eq!(check("hooks", "https://hooks:9/", Mode::Live), ALLOWED);
        assert_eq!(check("hooks", "https://other:9/", Mode::Live), Err(Refusal::LocalName));
        assert_eq!(check(":5678", "https://shop.example:5678/", Mode::Live), Ok(Reach::Internet));
        assert_eq!(check(":5678", "https://10.0.0.1:5678/", Mode::Live), Err(Refusal::Address));
        assert_eq!(check("127.0.0.0/8", "http://me:pw@127.0.0.1/", Mode::Live), Err(Refusal::UserInfo));
    }

    #[test]
    fn a_refusal_has_a_word_of_its_own() {
        use Refusal::{Address, LocalName, NeedsHttps, NotAUrl, Port, Scheme, TooLong, UserInfo};
        let all = [TooLong, NotAUrl, Scheme, NeedsHttps, UserInfo, LocalName, Address, Port];
        let words: std::collections::HashSet<_> = all.iter().map(|refusal| refusal.code()).collect();
        assert_eq!(words.len(), all.len());
    }
}

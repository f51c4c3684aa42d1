//! What the operator lets through although it is not the internet: tests, intranets.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

/// A list such as `127.0.0.0/8, ::1, hooks.intranet, :5678`, empty by default.
///
/// A network lets its addresses through, under any name and on any port. A name is trusted wherever it
/// leads. A port is open to everybody, towards public addresses. Whoever is let through by network or
/// name may be spoken to without TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    nets: Vec<IpNet>,
    names: Vec<String>,
    ports: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network (10.0.0.0/8), address, host name or port (:5678)")]
pub struct AllowError(String);

impl Allow {
    pub(super) fn has_nets(&self) -> bool {
        !self.nets.is_empty()
    }

    pub(super) fn address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.nets.iter().any(|net| net.contains(&address))
    }

    /// `name` as [`super::target`] writes it: lower case, no dot at its end.
    pub(super) fn name(&self, name: &str) -> bool {
        self.names.iter().any(|allowed| allowed == name)
    }

    pub(super) fn port(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }
}

impl FromStr for Allow {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let mut allow = Self::default();
        for entry in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty()) {
            let wrong = || AllowError(entry.to_owned());
            if let Some(port) = entry.strip_prefix(':').filter(|port| !port.contains(':')) {
                allow.ports.push(port.parse().map_err(|_| wrong())?);
            } else if let Ok(net) = entry.parse::<IpNet>() {
                allow.nets.push(net.trunc());
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                allow.nets.push(address.to_canonical().into());
            } else {
                match Host::parse(entry) {
                    Ok(Host::Domain(name)) if is_name(&name) => {
                        allow.names.push(name.trim_end_matches('.').to_owned());
                    }
                    _ => return Err(wrong()),
                }
            }
        }
        Ok(allow)
    }
}

/// What may be asked of a DNS server. A URL may hold more.
pub(super) fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_networks_addresses_names_and_ports() {
        let allow: Allow = "127.0.0.0/8, ::1 10.1.2.3/16,Hooks.Intranet.,:5678".parse().unwrap();
        assert!(allow.address("127.9.9.9".parse().unwrap()));
        assert!(allow.address("::ffff:127.0.0.1".parse().unwrap()));
        assert!(allow.address("::1".parse().unwrap()) && !allow.address("::2".parse().unwrap()));
        assert!(allow.address("10.1.255.255".parse().unwrap()));
        assert!(allow.name("hooks.intranet") && !allow.name("x.hooks.intranet"));
        assert!(allow.port(5678) && !allow.port(5679));
    }

    #[test]
    fn nothing_is_the_default_and_a_mistake_is_named() {
        assert_eq!("".parse(), Ok(Allow::default()));
        assert_eq!(" , ".parse(), Ok(Allow::default()));
        for wrong in ["10.0.0.0/33", ":70000", ":", "http://x", "a..b", "*", "x/8", "1.2.3"] {
            assert_eq!(wrong.parse::<Allow>(), Err(AllowError(wrong.to_owned())), "{wrong}");
        }
    }
}

//! An address to listen on, as people write it: `:8080`, `localhost:8080`, `8080`. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    #[error("`{0}` has no port; write {0}:8080")]
    NoPort(String),
    #[error("`{0}` is no port: 0 to 65535, where 0 is any that is free")]
    NotAPort(String),
    #[error("`{0}` is a URL; write its host and port alone, as in 127.0.0.1:8080")]
    Url(String),
    #[error("an address of IPv6 stands in brackets: [{0}]:8080")]
    NoBrackets(String),
    #[error(
        "`{0}` is a name; write an address of this machine, as in 127.0.0.1:8080 (this machine alone) or 0.0.0.0:8080 (everybody)"
    )]
    Name(String),
}

/// Every machine (`:8080`, `*:8080`), this one alone (`8080`, `localhost:8080`), or an address of it.
///
/// # Errors
/// Says what to write instead.
pub fn parse(text: &str) -> Result<SocketAddr, ListenError> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.contains("//") {
        return Err(ListenError::Url(text.to_owned()));
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Err(match address {
            IpAddr::V6(_) if !text.starts_with('[') => ListenError::NoBrackets(text.to_owned()),
            _ => ListenError::NoPort(text.to_owned()),
        });
    }
    let port = |text: &str| text.parse::<u16>().map_err(|_| ListenError::NotAPort(text.to_owned()));
    let Some((host, given)) = text.rsplit_once(':') else {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let here = || port(text).map(|port| (Ipv4Addr::LOCALHOST, port).into());
        return if is_number { here() } else { Err(ListenError::NoPort(text.to_owned())) };
    };
    let address: IpAddr = match host.to_ascii_lowercase().as_str() {
        "" | "*" => Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        "[*]" | "[]" => Ipv6Addr::UNSPECIFIED.into(),
        other => match other.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V6(_)) if !other.starts_with('[') => {
                return Err(ListenError::NoBrackets(host.to_owned()));
            }
            Ok(address) => address,
            Err(_) => return Err(ListenError::Name(text.to_owned())),
        },
    };
    Ok((address, port(given)?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            (":8080", "0.0.0.0:8080"),
            ("*:8080", "0.0.0.0:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("LOCALHOST:8080", "127.0.0.1:8080"),
            ("8080", "127.0.0.1:8080"),
            (" :8080 ", "0.0.0.0:8080"),
            ("[::1]:8080", "[::1]:8080"),
            ("[::]:8080", "[::]:8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), address, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_with_an_example() {
        for (text, example) in [
            ("", "has no port"),
            ("localhost", "localhost:8080"),
            ("127.0.0.1", "127.0.0.1:8080"),
            ("::1", "[::1]:8080"),
            ("::1:8080", "in brackets"),
            ("[::1]", "[::1]:8080"),
            ("http://localhost:8080", "as in 127.0.0.1:8080"),
            ("localhost:99999", "0 to 65535"),
            ("localhost:-1", "0 to 65535"),
            ("localhost:http", "0 to 65535"),
            ("99999", "0 to 65535"),
            ("shop.example:8080", "an address of this machine"),
            ("127.0.0.1:", "0 to 65535"),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.contains(example), "{text}: {told}");
        }
    }
}

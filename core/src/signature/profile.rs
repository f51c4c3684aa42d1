//! The headers of an endpoint: their names, and what its signature is of.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

const NAME_MAX: usize = 64;
const PREFIX_MAX: usize = 32;

/// How an endpoint wants its requests signed, beside the headers of Standard Webhooks, which every
/// request has. Stored with the endpoint as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    pub signature_header: String,
    /// Before the hexadecimal digits: `sha256=` or nothing.
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    pub signs: Signs,
    /// Unix seconds of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<String>,
    /// Seed 001's field `signature` in the body. Without it that seed's samples accept everything
    /// unverified.
    #[serde(default)]
    pub signature_in_body: bool,
}

/// What the signature in the profile's header is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Signs {
    /// The body, as sent.
    #[default]
    Body,
    /// The value of the timestamp's header, a dot, the body.
    TimestampAndBody,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    #[error("`{0}` is not a header's name")]
    NotAName(String),
    #[error("the header `{0}` is not free: HTTP or Standard Webhooks use it")]
    Taken(String),
    #[error("the header `{0}` is named twice")]
    Twice(String),
    #[error("prefix must be at most {PREFIX_MAX} visible ASCII characters")]
    BadPrefix,
    #[error("a signature of the timestamp needs a timestampHeader")]
    NoTimestamp,
}

impl Default for Profile {
    /// Ours: seed 001's field, and four headers.
    fn default() -> Self {
        Self {
            timestamp_header: Some("X-Webhook-Timestamp".into()),
            id_header: Some("X-Webhook-Id".into()),
            signature_in_body: true,
            ..Self::of("X-Webhook-Signature", "sha256=", Some("X-Webhook-Event"))
        }
    }
}

impl Profile {
    /// The headers that somebody's receiver knows from elsewhere.
    ///
    /// `wapid` is the default; the others are those of seeds 000, 002, 003 and 004.
    pub fn named(name: &str) -> Option<Self> {
        let profile = match name {
            "wapid" => Self::default(),
            "ranvedix" => Self {
                signs: Signs::TimestampAndBody,
                timestamp_header: Some("X-Ranvedix-Timestamp".into()),
                ..Self::of("X-Ranvedix-Signature-256", "sha256=", None)
            },
            "quixess" => Self {
                id_header: Some("X-Quixess-Event-Id".into()),
                ..Self::of("X-Quixess-Signature-256", "sha256=", Some("X-Quixess-Event-Type"))
            },
            "dualhook" => Self {
                id_header: Some("X-Dualhook-Event-Id".into()),
                ..Self::of("X-Dualhook-Signature", "sha256=", Some("X-Dualhook-Event"))
            },
            "vobiz" => Self::of("X-Webhook-Signature", "", Some("X-Webhook-Event")),
            _ => return None,
        };
        Some(profile)
    }

    fn of(signature: &str, prefix: &str, event: Option<&str>) -> Self {
        Self {
            signature_header: signature.into(),
            prefix: prefix.into(),
            signs: Signs::Body,
            timestamp_header: None,
            event_header: event.map(Into::into),
            id_header: None,
            signature_in_body: false,
        }
    }

    /// # Errors
    /// Says what cannot be sent as it stands here.
    pub fn check(&self) -> Result<(), ProfileError> {
        let optional = [&self.timestamp_header, &self.event_header, &self.id_header];
        let mut seen = HashSet::new();
        for name in [&self.signature_header].into_iter().chain(optional.into_iter().flatten()) {
            if !is_token(name) {
                return Err(ProfileError::NotAName(name.clone()));
            }
            let lower = name.to_ascii_lowercase();
            if is_taken(&lower) {
                return Err(ProfileError::Taken(name.clone()));
            }
            if !seen.insert(lower) {
                return Err(ProfileError::Twice(name.clone()));
            }
        }
        if self.prefix.len() > PREFIX_MAX || !self.prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProfileError::BadPrefix);
        }
        if self.signs == Signs::TimestampAndBody && self.timestamp_header.is_none() {
            return Err(ProfileError::NoTimestamp);
        }
        Ok(())
    }
}

impl Profile {
    /// Is a header for us to write, so that no owner may send another of its name?
    pub fn writes(&self, header: &str) -> bool {
        const OWNERS: [&str; 4] = ["accept", "authorization", "cookie", "user-agent"];
        let lower = header.to_ascii_lowercase();
        let optional = [&self.timestamp_header, &self.event_header, &self.id_header];
        let mut own = [&self.signature_header].into_iter().chain(optional.into_iter().flatten());
        own.any(|name| name.eq_ignore_ascii_case(header))
            || (is_taken(&lower) && !OWNERS.contains(&lower.as_str()))
    }
}

/// A header's name by RFC 9110.
fn is_token(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Names in lower case that say something else already.
fn is_taken(name: &str) -> bool {
    const TAKEN: [&str; 16] = [
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    TAKEN.contains(&name) || name.starts_with("proxy-") || name.starts_with("webhook-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_with_a_name_can_be_sent_and_stored() {
        for name in ["wapid", "ranvedix", "quixess", "dualhook", "vobiz"] {
            let profile = Profile::named(name).unwrap();
            assert_eq!(profile.check(), Ok(()), "{name}");
            let stored = serde_json::to_string(&profile).unwrap();
            assert_eq!(serde_json::from_str::<Profile>(&stored).unwrap(), profile);
        }
        assert_eq!(Profile::named("other"), None);
    }

    #[test]
    fn a_profile_of_ones_own_is_short() {
        let profile: Profile = serde_json::from_str(r#"{"signatureHeader":"X-Mine"}"#).unwrap();
        assert_eq!(profile, Profile::of("X-Mine", "", None));
        assert!(serde_json::from_str::<Profile>(r#"{"signatureHeader":"X","singsIt":1}"#).is_err());
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let of = |name: &str| Profile::of(name, "", None);
        assert_eq!(of("X Y").check(), Err(ProfileError::NotAName("X Y".into())));
        assert_eq!(of("").check(), Err(ProfileError::NotAName(String::new())));
        assert_eq!(of("X\r\nY").check(), Err(ProfileError::NotAName("X\r\nY".into())));
        assert_eq!(of("Content-Length").check(), Err(ProfileError::Taken("Content-Length".into())));
        assert_eq!(of("Webhook-Signature").check(), Err(ProfileError::Taken("Webhook-Signature".into())));
        let twice = Profile { id_header: Some("x-a".into()), ..of("X-A") };
        assert_eq!(twice.check(), Err(ProfileError::Twice("x-a".into())));
        assert_eq!(Profile { prefix: "a b".into(), ..of("X-A") }.check(), Err(ProfileError::BadPrefix));
        assert_eq!(
            Profile { signs: Signs::TimestampAndBody, ..of("X-A") }.check(),
            Err(ProfileError::NoTimestamp)
        );
    }
}

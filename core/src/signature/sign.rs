//! Body and headers of one request.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::payload::Payload;
use super::profile::{Profile, Signs};
use super::secret::Secret;
use crate::clock::At;
use crate::id::EventId;

/// An event on its way to an endpoint, for one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The same in every attempt: by it a receiver knows what it has.
    pub id: &'a EventId,
    /// What the event is called in this endpoint's payload.
    pub event: &'a str,
    /// When this attempt is made. Receivers refuse what is older than five minutes.
    pub at: At,
    pub payload: &'a Payload,
}

/// What is sent, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub body: String,
    /// Names as they are written, none twice.
    pub headers: Vec<(String, String)>,
}

/// Signs `delivery` with every secret that is valid, the one to begin with first.
///
/// `webhook-signature` holds a signature of each, so a receiver may change its secret at any time of the
/// overlap. The profile's header and the field in the body have room for one: that of the first secret.
/// Without any secret there is no signature, and no field.
pub fn sign(delivery: Delivery<'_>, secrets: &[Secret], profile: &Profile) -> Signed {
    let timestamp = delivery.at.seconds().to_string();
    let body = match secrets.first() {
        Some(secret) if profile.signature_in_body => with_field(delivery.payload, secret),
        _ => delivery.payload.as_str().to_owned(),
    };
    let mut headers = vec![];
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    add("webhook-id", delivery.id.as_str());
    add("webhook-timestamp", &timestamp);
    if !secrets.is_empty() {
        let signed = [delivery.id.as_str(), ".", &timestamp, ".", &body];
        let signatures: Vec<_> = secrets
            .iter()
            .map(|secret| format!("v1,{}", BASE64_STANDARD.encode(mac(secret, &signed))))
            .collect();
        add("webhook-signature", &signatures.join(" "));
    }
    let named = [
        (&profile.id_header, delivery.id.as_str()),
        (&profile.event_header, delivery.event),
        (&profile.timestamp_header, &timestamp),
    ];
    for (name, value) in named {
        if let Some(name) = name {
            add(name, value);
        }
    }
    if let Some(secret) = secrets.first() {
        let digest = match profile.signs {
            Signs::Body => mac(secret, &[&body]),
            Signs::TimestampAndBody => mac(secret, &[&timestamp, ".", &body]),
        };
        add(&profile.signature_header, &format!("{}{}", profile.prefix, hex::encode(digest)));
    }
    Signed { body, headers }
}

/// The payload with seed 001's field as its last, so that one cut gives back what was signed.
fn with_field(payload: &Payload, secret: &Secret) -> String {
    let text = payload.as_str();
    let signature = hex::encode(mac(secret, &[text]));
    let open = text.strip_suffix('}').expect("a payload is a JSON object");
    let comma = if open == "{" { "" } else { "," };
    format!(r#"{open}{comma}"signature":"{signature}"}}"#)
}

fn mac(secret: &Secret, parts: &[&str]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(secret.key()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const AT: At = At(1_614_265_330_999);

    fn header<'a>(signed: &'a Signed, name: &str) -> Option<&'a str> {
        let mut found = signed.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    fn seed_001() -> Payload {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Envelope {
            tenant_id: &'static str,
            event: &'static str,
            session_id: &'static str,
            timestamp: i64,
            data: Value,
        }
        let data = json!({"body": "Olá \"Ana\" / 🙂", "from": "919876543210@s.whatsapp.net"});
        let (tenant_id, event, session_id, timestamp) = ("my-business", "message", "main", 1_708_243_200_000);
        Payload::of(&Envelope { tenant_id, event, session_id, timestamp, data }).unwrap()
    }

    /// Standard Webhooks as its text says it, apart from the code above.
    fn verify(secret: &Secret, headers: &[(String, String)], body: &[u8]) -> bool {
        let get = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let (Some(id), Some(timestamp), Some(signatures)) =
            (get("webhook-id"), get("webhook-timestamp"), get("webhook-signature"))
        else {
            return false;
        };
        signatures.split(' ').any(|signature| {
            let Some(Ok(claimed)) = signature.strip_prefix("v1,").map(|text| BASE64_STANDARD.decode(text))
            else {
                return false;
            };
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.key()).unwrap();
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            mac.verify_slice(&claimed).is_ok()
        })
    }

    #[test]
    fn the_published_example_of_standard_webhooks_comes_out() {
        // The libraries' test vector. Its payload has a space, which ours never have.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = mac(
            &secret,
            &["msg_p5jXN8AQM9LWM0D4loKWxJek", ".", "1614265330", ".", r#"{"test": 2432232314}"#],
        );
        assert_eq!(BASE64_STANDARD.encode(signed), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_request_is_these_bytes() {
        // Computed with Python's hmac.
        let secret = Secret::parse("s3cret").unwrap();
        let (id, payload) = (EventId("evt_1".into()), Payload::of(&json!({"event": "test"})).unwrap());
        let delivery = Delivery { id: &id, event: "test", at: AT, payload: &payload };
        let signed = sign(delivery, &[secret], &Profile::default());
        assert_eq!(
            signed.body,
            r#"{"event":"test","signature":"b4986cc3ab143f0e2e18cac20b164f7e843afdfb9651b1697f70e55a38617a30"}"#
        );
        let headers: Vec<_> = signed.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        assert_eq!(
            headers,
            [
                "webhook-id: evt_1",
                "webhook-timestamp: 1614265330",
                "webhook-signature: v1,fbgu/HUKeIid3g1cdiu2zZArbjtgfYAb8G4OtKOK/RE=",
                "X-Webhook-Id: evt_1",
                "X-Webhook-Event: test",
                "X-Webhook-Timestamp: 1614265330",
                "X-Webhook-Signature: sha256=67cb2356db8b2ad2bb24826a67ca67b3f05dbe04a0d460e5dd30e7ee14cdd7e1",
            ]
        );
    }

    #[test]
    fn the_field_is_last_and_one_cut_gives_back_what_it_signs() {
        let secret = Secret::parse("s3cret").unwrap();
        for payload in [seed_001(), Payload::of(&json!({})).unwrap()] {
            let body = with_field(&payload, &secret);
            let field: Value = serde_json::from_str(&body).unwrap();
            let signature = field["signature"].as_str().unwrap();
            let rest = body.strip_suffix(&format!("\"signature\":\"{signature}\"}}")).unwrap();
            assert_eq!(format!("{}}}", rest.trim_end_matches(',')), payload.as_str());
            assert_eq!(hex::encode(mac(&secret, &[payload.as_str()])), signature);
        }
    }

    #[test]
    fn every_profile_signs_as_its_users_verify() {
        let secrets = [Secret::parse("s3cret").unwrap()];
        let (id, payload) = (EventId::new(), seed_001());
        let delivery = Delivery { id: &id, event: "message.received", at: AT, payload: &payload };
        // name, signature's header, its prefix, what it signs before the body, the others
        for (name, signature, prefix, before, others) in [
            (
                "ranvedix",
                "X-Ranvedix-Signature-256",
                "sha256=",
                "1614265330.",
                vec![("X-Ranvedix-Timestamp", "1614265330")],
            ),
            (
                "quixess",
                "X-Quixess-Signature-256",
                "sha256=",
                "",
                vec![("X-Quixess-Event-Id", id.as_str()), ("X-Quixess-Event-Type", "message.received")],
            ),
            (
                "dualhook",
                "X-Dualhook-Signature",
                "sha256=",
                "",
                vec![("X-Dualhook-Event-Id", id.as_str()), ("X-Dualhook-Event", "message.received")],
            ),
            ("vobiz", "X-Webhook-Signature", "", "", vec![("X-Webhook-Event", "message.received")]),
        ] {
            let signed = sign(delivery, &secrets, &Profile::named(name).unwrap());
            assert_eq!(signed.body, payload.as_str(), "{name}");
            let expected = hex::encode(mac(&secrets[0], &[before, &signed.body]));
            assert_eq!(header(&signed, signature), Some(format!("{prefix}{expected}").as_str()), "{name}");
            for (header_name, value) in &others {
                assert_eq!(header(&signed, header_name), Some(*value), "{name}");
            }
            assert_eq!(signed.headers.len(), 3 + 1 + others.len(), "{name}");
            assert!(verify(&secrets[0], &signed.headers, signed.body.as_bytes()), "{name}");
        }
    }

    #[test]
    fn while_a_secret_changes_both_verify_and_afterwards_the_new_one() {
        let (old, new) = (Secret::parse("old").unwrap(), Secret::generate());
        let (id, payload) = (EventId::new(), seed_001());
        let delivery = Delivery { id: &id, event: "message", at: AT, payload: &payload };
        let signed = sign(delivery, &[new.clone(), old.clone()], &Profile::default());
        let body = signed.body.as_bytes();
        assert!(verify(&old, &signed.headers, body) && verify(&new, &signed.headers, body));
        let hex = format!("sha256={}", hex::encode(mac(&new, &[&signed.body])));
        assert_eq!(header(&signed, "X-Webhook-Signature"), Some(hex.as_str()));
        let after = sign(delivery, std::slice::from_ref(&new), &Profile::default());
        assert!(!verify(&old, &after.headers, body) && verify(&new, &after.headers, body));
    }

    #[test]
    fn without_a_secret_nothing_looks_signed() {
        let (id, payload) = (EventId::new(), seed_001());
        let signed =
            sign(Delivery { id: &id, event: "message", at: AT, payload: &payload }, &[], &Profile::default());
        assert_eq!(signed.body, payload.as_str());
        assert_eq!(header(&signed, "webhook-signature"), None);
        assert_eq!(header(&signed, "X-Webhook-Signature"), None);
        assert_eq!(header(&signed, "X-Webhook-Event"), Some("message"));
        assert_eq!(header(&signed, "webhook-id"), Some(id.as_str()));
    }

    #[test]
    fn a_flipped_bit_is_refused_wherever_it_is() {
        let secret = Secret::parse("s3cret").unwrap();
        let (id, payload) = (EventId::new(), seed_001());
        let delivery = Delivery { id: &id, event: "message", at: AT, payload: &payload };
        let signed = sign(delivery, std::slice::from_ref(&secret), &Profile::default());
        for at in 0..signed.body.len() * 8 {
            let mut body = signed.body.clone().into_bytes();
            body[at / 8] ^= 1 << (at % 8);
            assert!(!verify(&secret, &signed.headers, &body), "bit {at} of the body");
        }
        for (header, (name, value)) in signed.headers.iter().enumerate().take(3) {
            for at in 0..value.len() * 8 {
                let mut bytes = value.clone().into_bytes();
                bytes[at / 8] ^= 1 << (at % 8);
                let mut headers = signed.headers.clone();
                headers[header].1 = String::from_utf8_lossy(&bytes).into_owned();
                assert!(!verify(&secret, &headers, signed.body.as_bytes()), "bit {at} of {name}");
            }
        }
        for at in 0..secret.key().len() * 8 {
            let mut key = secret.key().to_vec();
            key[at / 8] ^= 1 << (at % 8);
            let other = Secret::parse(&format!("whsec_{}", BASE64_STANDARD.encode(key))).unwrap();
            assert!(!verify(&other, &signed.headers, signed.body.as_bytes()), "bit {at} of the secret");
        }
    }

    proptest! {
        #[test]
        fn whatever_an_event_holds_every_scheme_verifies_and_a_flipped_bit_does_not(
            text in ".*", number in any::<f64>(), key in ".{1,80}", ms in 0..4_000_000_000_000_i64, bit in any::<prop::sample::Index>(),
        ) {
            let secret = Secret::parse(&key).unwrap_or_else(|_| Secret::generate());
            let payload = Payload::of(&json!({"event": "message", "data": {"body": text, "number": number}})).unwrap();
            let id = EventId::new();
            let delivery = Delivery { id: &id, event: "message", at: At(ms), payload: &payload };
            let signed = sign(delivery, std::slice::from_ref(&secret), &Profile::default());
            prop_assert!(verify(&secret, &signed.headers, signed.body.as_bytes()));
            let hex = format!("sha256={}", hex::encode(mac(&secret, &[&signed.body])));
            prop_assert_eq!(header(&signed, "x-webhook-signature"), Some(hex.as_str()));
            // What a receiver does with seed 001's field: take it out, write the rest again.
            let cut = signed.body.len() - r#","signature":"""#.len() - 64 - 1;
            let rest = format!("{}}}", &signed.body[..cut]);
            prop_assert_eq!(&rest, payload.as_str());
            let parsed: Value = serde_json::from_str(&signed.body).unwrap();
            let field = hex::encode(mac(&secret, &[&rest]));
            prop_assert_eq!(parsed["signature"].as_str(), Some(field.as_str()));

            let mut body = signed.body.clone().into_bytes();
            let at = bit.index(body.len() * 8);
            body[at / 8] ^= 1 << (at % 8);
            prop_assert!(!verify(&secret, &signed.headers, &body));
        }
    }
}

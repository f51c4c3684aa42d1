//! What a message is and where it stands. A status only moves forward.

use serde::{Deserialize, Serialize};

use crate::wa_id::{WaId, WaIdError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Direction {
    In,
    Out,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Who brought a message into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Origin {
    /// Somebody with a key.
    Api,
    /// The owner of the number, on the phone or another device.
    Phone,
    /// Whoever wrote to it.
    Contact,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Phone => "phone",
            Self::Contact => "contact",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Api, Self::Phone, Self::Contact].into_iter().find(|origin| origin.as_str() == word)
    }
}

/// Where a message stands. Receipts may come late and in any order; see [`Status::advance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Status {
    /// An inbound message, stored.
    Received,
    /// Intent is committed; WhatsApp has not answered yet. After a crash it is sent again under the
    /// same id.
    Sending,
    /// WhatsApp's server took it.
    Sent,
    /// It reached a device of the recipient.
    Delivered,
    Read,
    Played,
    /// WhatsApp refused it, for good.
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Received, Self::Sending, Self::Sent, Self::Delivered, Self::Read, Self::Played, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == word)
    }

    /// How far along this is; stored beside the word so that one SQL comparison keeps the order.
    pub fn rank(self) -> i64 {
        match self {
            Self::Received | Self::Sending => 0,
            Self::Sent => 1,
            Self::Delivered => 2,
            Self::Read => 3,
            Self::Played => 4,
            Self::Failed => 9,
        }
    }

    /// The status after hearing of `to`; `None` when that is no news. A message that reached
    /// somebody can no longer fail, and a failed one stays failed.
    #[must_use]
    pub fn advance(self, to: Self) -> Option<Self> {
        let fails_late = to == Self::Failed && self.rank() >= Self::Delivered.rank();
        (to.rank() > self.rank() && self != Self::Received && !fails_late).then_some(to)
    }
}

/// How a caller names a message: by WhatsApp's id, which its writer's program chose, or by the key of our row.
/// Whatever it holds can be looked for on both engines, and shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageName(WaId);

impl MessageName {
    /// # Errors
    /// For what is no [`WaId`].
    pub fn parse(text: &str) -> Result<Self, WaIdError> {
        WaId::parse(text).map(Self)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A fresh WhatsApp message id, shaped as WhatsApp Web makes them: `3EB0` and 18 upper-case hex
/// digits, 72 random bits. Chosen before sending, and never derived from the recipient.
pub fn new_wa_id() -> String {
    format!("3EB0{}", hex::encode_upper(rand::random::<[u8; 9]>()))
}

/// Who told a receipt. It counts for messages of that chat: an id names a message only within one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ReceiptSender {
    /// The group's JID, where a member of it told.
    pub group: Option<String>,
    /// Digits, where WhatsApp named the number.
    pub phone: Option<String>,
    /// Digits, where WhatsApp named the LID.
    pub lid: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wa_id::WA_ID_MAX;
    use Status::{Delivered, Failed, Played, Read, Received, Sending, Sent};

    #[test]
    fn a_status_never_goes_back() {
        let all = [Received, Sending, Sent, Delivered, Read, Played, Failed];
        for from in all {
            for to in all {
                if let Some(next) = from.advance(to) {
                    assert!(next.rank() > from.rank(), "{from:?} -> {to:?}");
                }
            }
        }
        assert_eq!(Read.advance(Delivered), None);
        assert_eq!(Sending.advance(Read), Some(Read));
    }

    #[test]
    fn what_reached_somebody_cannot_fail_and_what_failed_stays_failed() {
        assert_eq!(Delivered.advance(Failed), None);
        assert_eq!(Sent.advance(Failed), Some(Failed));
        assert_eq!(Failed.advance(Delivered), None);
    }

    #[test]
    fn a_message_is_named_by_what_can_be_looked_for() {
        for good in ["3EB0B430A8B7F6C1D2E3", "false_5511@c.us_3A", "é", "a b", &"x".repeat(WA_ID_MAX)] {
            assert!(MessageName::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", " ", "a\0", "\0", "a\nb", "\u{85}", &"x".repeat(WA_ID_MAX + 1)] {
            assert_eq!(MessageName::parse(bad), Err(WaIdError), "{bad:?}");
        }
    }

    #[test]
    fn an_id_looks_like_whatsapp_webs() {
        let id = new_wa_id();
        assert_eq!(id.len(), 22);
        assert!(id.starts_with("3EB0"));
    }
}

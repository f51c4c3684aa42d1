//! WhatsApp's refusals of a message, in our words.
//!
//! Its server answers a message that it does not take with an `<ack>` that has an `error`: a number and no
//! reason. What the numbers mean is known from WhatsApp Web's own code, as wacore 0.7.0 has it in
//! `protocol/nack.rs` (421, 475, 487 and on), from whatsapp-rust 0.7.0, `client/node_io.rs` (400, 404, 463, 479,
//! 503), and from what others met (403: whatsmeow's issues 379 and 679). A number that is not here is told as
//! it is.

use crate::phone::Recipient;

/// WhatsApp does not let this number write to that person now.
pub const BLOCKED: &str = "BLOCKED_BY_WHATSAPP";
pub const NOT_ON_WHATSAPP: &str = "NOT_ON_WHATSAPP";
pub const NOT_IN_GROUP: &str = "NOT_IN_GROUP";
pub const GROUP_NOT_FOUND: &str = "GROUP_NOT_FOUND";
pub const NOT_GROUP_ADMIN: &str = "NOT_GROUP_ADMIN";
/// Any other refusal: the number says which.
pub const REFUSED: &str = "REFUSED_BY_WHATSAPP";

const TABLE: [(i64, &str, &str); 21] = [
    (400, REFUSED, "WhatsApp could not read the message's envelope"),
    (
        403,
        REFUSED,
        "WhatsApp forbids this message: this number may have blocked the recipient, or left the group",
    ),
    (404, NOT_ON_WHATSAPP, "WhatsApp does not know the recipient"),
    (421, REFUSED, "the group names its members in another way now; the next message goes that way"),
    (463, BLOCKED, "WhatsApp does not let this number start a chat with this recipient now"),
    (475, BLOCKED, "this number has started as many chats as WhatsApp allows for now"),
    (479, REFUSED, "a field of the message's envelope has a form that WhatsApp does not take"),
    (487, REFUSED, "WhatsApp could not parse the message's envelope"),
    (488, REFUSED, "WhatsApp does not know this kind of envelope"),
    (489, REFUSED, "WhatsApp does not know this class of envelope"),
    (490, REFUSED, "WhatsApp does not know this type of envelope"),
    (491, REFUSED, "what the message holds is not what WhatsApp expects there"),
    (493, REFUSED, "the message came from a hosted device as WhatsApp does not take it"),
    (495, REFUSED, "the message lacks the secret of the one that it changes"),
    (496, REFUSED, "the message was encrypted with a key that was used before"),
    (499, REFUSED, "the message that this one changes was deleted"),
    (500, REFUSED, "something went wrong on WhatsApp's side"),
    (503, REFUSED, "WhatsApp's service was not available"),
    (550, REFUSED, "WhatsApp does not let an admin take this message back"),
    (551, REFUSED, "the recipient cannot take part in a group whose members' numbers are hidden"),
    (552, REFUSED, "WhatsApp could not store the message"),
];

/// What a group adds: whatsmeow's users met 403 and 420.
const IN_GROUPS: [(i64, &str, &str); 3] = [
    (403, NOT_IN_GROUP, "this number is not in the group"),
    (404, GROUP_NOT_FOUND, "WhatsApp does not know the group"),
    (420, NOT_GROUP_ADMIN, "only admins write in this group"),
];

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nack {
    error: String,
    is_of_group: bool,
}

impl Nack {
    /// From the attribute `error`.
    pub fn new(error: &str) -> Self {
        Self { error: error.to_owned(), is_of_group: false }
    }

    /// From the attribute `error`, of a message to that recipient.
    pub fn to(recipient: &Recipient, error: &str) -> Self {
        Self { is_of_group: matches!(recipient, Recipient::Group(_)), ..Self::new(error) }
    }

    /// WhatsApp's own code.
    pub fn number(&self) -> Option<i64> {
        self.error.parse().ok()
    }

    fn known(&self) -> Option<(&'static str, &'static str)> {
        let number = self.number()?;
        let in_groups = IN_GROUPS.iter().filter(|_| self.is_of_group);
        in_groups.chain(&TABLE).find(|(known, ..)| *known == number).map(|(_, code, words)| (*code, *words))
    }

    /// Ours, which callers know.
    pub fn code(&self) -> &'static str {
        self.known().map_or(REFUSED, |(code, _)| code)
    }

    /// Plain words, and the number.
    pub fn words(&self) -> String {
        let words = self.known().map_or("WhatsApp refused the message", |(_, words)| words);
        let mut letters = words.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        format!("{}{} ({})", first.collect::<String>(), letters.as_str(), self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_code_words_and_its_number() {
        let limited = Nack::new("463");
        assert_eq!((limited.code(), limited.number()), (BLOCKED, Some(463)));
        assert_eq!(
            limited.words(),
            "WhatsApp does not let this number start a chat with this recipient now (463)"
        );
        assert_eq!(Nack::new("404").code(), NOT_ON_WHATSAPP);
        let group = Recipient::parse("120363041234567890@g.us", None).expect("a group");
        assert_eq!(Nack::to(&group, "404").code(), GROUP_NOT_FOUND);
        assert_eq!(Nack::to(&group, "463").code(), BLOCKED);
        assert_eq!(Nack::new("421").words().split_once(' ').expect("words").0, "The");
    }

    #[test]
    fn what_nobody_knows_is_told_as_it_is() {
        let new = Nack::new("777");
        assert_eq!(
            (new.code(), new.number(), new.words().as_str()),
            (REFUSED, Some(777), "WhatsApp refused the message (777)")
        );
        let odd = Nack::new("feature-not-implemented");
        assert_eq!((odd.code(), odd.number()), (REFUSED, None));
        assert_eq!(odd.words(), "WhatsApp refused the message (feature-not-implemented)");
    }

    #[test]
    fn each_number_is_there_once_and_in_order() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }
}

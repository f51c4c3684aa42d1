//! What an account shows of its owner, whom it blocked, and what others show to it.
//!
//! The profile and the picture are records of the journal. Presence and typing last as long as the
//! process: nobody is online after a restart until they say so again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use crate::account::{Account, State, json};
use crate::error::SandboxError;
use crate::journal::{Batch, Journal};
use crate::limits;
use crate::phone::message::Naming;
use crate::picture::Picture;
use crate::route::presence::Presence;

pub(crate) const PROFILE: &str = "profile";
pub(crate) const PICTURE: &str = "picture";

/// What somebody does in a chat at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Typing {
    Composing,
    Recording,
    Paused,
}

/// The part of an account's state that is about people.
#[derive(Default)]
pub(crate) struct Person {
    pub profile: Profile,
    pub picture: Option<Picture>,
    pub presence: Presence,
    /// What others do in their chat with this account, by their number.
    pub typing: HashMap<String, Typing>,
    /// What others do in groups, by their number and the group's address.
    pub typing_in_groups: HashMap<String, BTreeMap<String, Typing>>,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub about: String,
    /// Seconds since 1970.
    pub about_at: u64,
    /// Numbers of this book, and since when each is blocked.
    pub blocked: BTreeMap<String, u64>,
    /// Numbers of those to whom this account wrote without showing its own; until it shows it to them.
    #[serde(default)]
    pub hidden_from: BTreeSet<String>,
}

impl Account {
    /// Two states are never locked at once: ask before locking anything.
    pub(crate) fn has_blocked(&self, other: &Self) -> bool {
        self.state.lock().person.profile.blocked.contains_key(&other.phone)
    }

    /// Whether this account keeps its number from another. In groups members see each other's.
    pub(crate) fn hides_from(&self, other: &Self) -> bool {
        self.state.lock().person.profile.hidden_from.contains(&other.phone)
    }

    /// How the devices of another account hear of this one, where they have not named it themselves.
    pub(crate) fn name_for(&self, other: &Self) -> Jid {
        if self.hides_from(other) { Jid::lid(self.lid.as_str()) } else { Jid::pn(self.phone.as_str()) }
    }

    /// From now on this account shows its number to another, or does not.
    pub(crate) fn name_itself(&self, to: &Self, naming: Naming, journal: &Journal) {
        let mut state = self.state.lock();
        let hidden_from = &mut state.person.profile.hidden_from;
        let has_changed = match naming {
            Naming::Hidden => hidden_from.insert(to.phone.clone()),
            Naming::Number | Naming::Lid => hidden_from.remove(&to.phone),
        };
        if has_changed {
            let mut batch = journal.batch();
            self.save_profile(&state, &mut batch);
            journal.append(batch);
        }
    }

    pub(crate) fn save_profile(&self, state: &State, batch: &mut Batch) {
        batch.put(PROFILE, || self.person_place(), || json(&state.person.profile));
    }

    pub(crate) fn save_picture(&self, state: &State, batch: &mut Batch) {
        match &state.person.picture {
            Some(picture) => batch.put(PICTURE, || self.person_place(), || picture.to_bytes()),
            None => batch.delete(PICTURE, || self.person_place()),
        }
    }

    pub(crate) fn restore_profile(&self, value: &[u8]) -> Option<()> {
        self.state.lock().person.profile = serde_json::from_slice(value).ok()?;
        Some(())
    }

    pub(crate) fn restore_picture(&self, value: Vec<u8>) -> Option<()> {
        self.state.lock().person.picture = Some(Picture::from_bytes(Bytes::from(value))?);
        Some(())
    }

    fn person_place(&self) -> String {
        format!("{}p/", self.place())
    }
}

/// An about text as WhatsApp takes it.
pub(crate) fn check_about(about: &str) -> Result<(), SandboxError> {
    if about.len() > limits::ABOUT_BYTES {
        return Err(SandboxError::Invalid("an about text has at most 512 bytes".into()));
    }
    Ok(())
}

/// A name as WhatsApp takes it.
pub(crate) fn check_name(name: &str) -> Result<(), SandboxError> {
    if name.len() > limits::NAME_BYTES {
        return Err(SandboxError::Invalid("a name has at most 100 bytes".into()));
    }
    Ok(())
}

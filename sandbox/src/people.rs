//! What the owner of a phone does beside writing, and what their phone shows of somebody else.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use wacore_binary::Jid;

use crate::account::Account;
use crate::error::SandboxError;
use crate::iq::blocklist;
use crate::limits;
use crate::net::Net;
use crate::person::{self, Typing};
use crate::phone::appstate::{self, Setting};
use crate::phone::chat::Chat;
use crate::picture::{Picture, Size};
use crate::route::presence::{self, PresenceState};
use crate::route::{call, chatstate, profile};
use crate::sandbox::Sandbox;

/// Something that the owner of a phone does. Others are named by their number in the same book.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum PhoneAct {
    /// Opens or leaves the app.
    Presence {
        state: PresenceState,
    },
    /// Types or records in the chat with somebody, or in a group, which is named by its address.
    Typing {
        to: String,
        state: Typing,
    },
    /// Changes what is given.
    Profile {
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        about: Option<String>,
        /// A JPEG in base64; an empty text removes the picture.
        #[serde(default)]
        picture: Option<String>,
    },
    Block {
        phone: String,
        blocked: bool,
    },
    /// Saves somebody under a name.
    Save {
        phone: String,
        name: String,
    },
    /// Changes what is given of the chat with somebody.
    Chat {
        phone: String,
        #[serde(default)]
        archived: Option<bool>,
        #[serde(default)]
        pinned: Option<bool>,
        /// Milliseconds since 1970; 0 unmutes, -1 is for good.
        #[serde(default)]
        muted_until: Option<i64>,
        #[serde(default)]
        read: bool,
    },
    Call {
        to: String,
        video: bool,
    },
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acted {
    /// Of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
}

/// What a phone shows of somebody in its book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub phone: String,
    pub lid: String,
    /// What they call themselves.
    pub name: String,
    /// What this phone's owner calls them.
    pub saved_name: Option<String>,
    pub about: Option<String>,
    /// SHA-256 of the picture, in hex.
    pub picture_sha256: Option<String>,
    pub presence: PresenceState,
    /// Seconds since 1970, of somebody who is not online.
    pub last_seen: Option<u64>,
    pub typing: Option<Typing>,
    /// What they do in groups that both are in, by the group's address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub typing_in_groups: BTreeMap<String, Typing>,
    /// Whether this phone blocked them.
    pub is_blocked: bool,
    pub is_archived: bool,
    pub is_pinned: bool,
    /// Milliseconds since 1970; 0 is not muted, -1 is for good.
    pub muted_until: i64,
}

impl Sandbox {
    /// Lets the owner of a phone do something.
    pub async fn act(&self, book: &str, phone: &str, act: PhoneAct) -> Result<Acted, SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let acted = do_it(&self.net, &phone, act).await?;
        self.net.journal.settled().await;
        Ok(acted)
    }

    /// What the phone shows of somebody now.
    pub async fn sees(&self, book: &str, phone: &str, other: &str) -> Result<Seen, SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let other = self.net.account(book, other).ok_or(SandboxError::NotOnWhatsApp)?;
        let seen = seen(&phone, &other);
        self.net.journal.settled().await;
        Ok(seen)
    }
}

async fn do_it(net: &Net, phone: &Arc<Account>, act: PhoneAct) -> Result<Acted, SandboxError> {
    let find = |number: &str| net.account(&phone.book, number).ok_or(SandboxError::NotOnWhatsApp);
    match act {
        PhoneAct::Presence { state } => {
            let is_online = state == PresenceState::Available;
            presence::change(phone, |state| state.person.presence.is_phone_online = is_online);
        }
        PhoneAct::Typing { to, state } => match Chat::find(net, phone, &to)? {
            Chat::Person(to, _) => chatstate::show(phone, &to, &phone.name_for(&to), state),
            Chat::Group(group) => chatstate::show_in_group(net, phone, &group, state),
        },
        PhoneAct::Profile { name, about, picture } => {
            change_profile(net, phone, name, about, picture).await?;
        }
        PhoneAct::Block { phone: other, blocked } => {
            blocklist::set(net, phone, &find(&other)?, blocked, None)?;
        }
        PhoneAct::Save { phone: other, name } => {
            person::check_name(&name)?;
            let jid = Jid::pn(find(&other)?.phone.as_str());
            appstate::publish(net, phone, &Setting::Contact { jid, name })?;
        }
        PhoneAct::Chat { phone: other, archived, pinned, muted_until, read } => {
            let chat = find(&other)?.name_for(phone);
            let settings = [
                archived.map(|is_archived| Setting::Archived { chat: chat.clone(), is_archived }),
                pinned.map(|is_pinned| Setting::Pinned { chat: chat.clone(), is_pinned }),
                muted_until.map(|until_ms| Setting::Muted { chat: chat.clone(), until_ms }),
                read.then(|| Setting::Read { chat: chat.clone() }),
            ];
            for setting in settings.iter().flatten() {
                appstate::publish(net, phone, setting)?;
            }
        }
        PhoneAct::Call { to, video } => {
            let call_id = Some(call::offer(net, phone, &*find(&to)?, video));
            return Ok(Acted { call_id });
        }
    }
    Ok(Acted::default())
}

async fn change_profile(
    net: &Net,
    phone: &Arc<Account>,
    name: Option<String>,
    about: Option<String>,
    picture: Option<String>,
) -> Result<(), SandboxError> {
    name.as_deref().map_or(Ok(()), person::check_name)?;
    about.as_deref().map_or(Ok(()), person::check_about)?;
    let picture = match picture {
        None => None,
        Some(encoded) if encoded.is_empty() => Some(None),
        Some(encoded) => Some(Some(read_picture(phone, encoded).await?)),
    };
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        profile::rename(net, phone, &name);
        let has_devices = !phone.state.lock().collections.is_empty();
        if has_devices {
            appstate::publish(net, phone, &Setting::PushName(name))?;
        }
    }
    if let Some(about) = about {
        profile::set_about(net, phone, &about, None);
    }
    if let Some(picture) = picture {
        profile::set_picture(net, phone, picture, None);
    }
    Ok(())
}

async fn read_picture(phone: &Account, encoded: String) -> Result<Picture, SandboxError> {
    let invalid = || SandboxError::Invalid("a picture is a JPEG of at most 768 KiB, in base64".into());
    if encoded.len() > limits::PICTURE_BYTES * 2 {
        return Err(invalid());
    }
    let id = profile::next_picture_id(phone);
    let made = tokio::task::spawn_blocking(move || Picture::new(id, BASE64.decode(encoded).ok()?).ok());
    made.await.ok().flatten().ok_or_else(invalid)
}

fn seen(phone: &Account, other: &Account) -> Seen {
    let names = [Jid::pn(other.phone.as_str()), Jid::lid(other.lid.as_str())];
    let (of_chat, typing, typing_in_groups, is_blocked) = {
        let state = phone.state.lock();
        (
            phone.settings_of(&state, &names),
            state.person.typing.get(&other.phone).copied(),
            state.person.typing_in_groups.get(&other.phone).cloned().unwrap_or_default(),
            state.person.profile.blocked.contains_key(&other.phone),
        )
    };
    let state = other.state.lock();
    let hides = state.person.profile.blocked.contains_key(&phone.phone);
    let is_online = presence::is_online(&state) && !hides;
    let profile = &state.person.profile;
    let picture = state.person.picture.as_ref().filter(|_| !hides);
    Seen {
        phone: other.phone.clone(),
        lid: other.lid.clone(),
        name: state.name.clone(),
        saved_name: of_chat.saved_name,
        about: Some(profile.about.clone()).filter(|about| !about.is_empty() && !hides),
        picture_sha256: picture.map(|picture| hex::encode(Sha256::digest(picture.bytes(Size::Full)))),
        presence: if is_online { PresenceState::Available } else { PresenceState::Unavailable },
        last_seen: state.person.presence.last_seen.filter(|_| !is_online && !hides),
        typing,
        typing_in_groups,
        is_blocked,
        is_archived: of_chat.is_archived,
        is_pinned: of_chat.is_pinned,
        muted_until: of_chat.muted_until_ms,
    }
}

//! Groups: who is in them, who may do what, and that everybody reads what is for them.

mod members;
mod words;

use wacore::stanza::groups::GroupNotificationAction as Action;
use wacore::types::events::Event;
use wapid_sandbox::{Addressing, GroupAct, GroupInfo, NewGroup, PhoneMessage, Sandbox};
use waproto::whatsapp as wa;
use whatsapp_rust::{GroupError, IqError, Jid};

use crate::support::{BOOK, CAROL, Linked, shows};

const DAVE: &str = "15550000004";

fn new_group(participants: &[&str], addressing: Addressing) -> NewGroup {
    NewGroup {
        phone: CAROL.to_owned(),
        subject: "Team".to_owned(),
        participants: participants.iter().map(|phone| (*phone).to_owned()).collect(),
        addressing,
    }
}

/// Carol's phone makes a group of these.
async fn made(sandbox: &Sandbox, participants: &[&str], addressing: Addressing) -> (GroupInfo, Jid) {
    let done = sandbox.create_group(BOOK, new_group(participants, addressing)).await.expect("a group");
    let group = done.group.expect("a group");
    let jid = group.id.parse().expect("a JID");
    (group, jid)
}

async fn act(sandbox: &Sandbox, group: &Jid, phone: &str, act: GroupAct) {
    sandbox.act_in_group(BOOK, &group.to_string(), phone, act).await.expect("done");
}

fn message(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.to_owned()), ..Default::default() }
}

async fn say(from: &Linked, group: &Jid, text: &str) -> String {
    from.client.send_message(group.clone(), message(text)).await.expect("sent").message_id
}

async fn phone_says(sandbox: &Sandbox, phone: &str, group: &Jid, text: &str) -> String {
    sandbox.send(BOOK, phone, PhoneMessage::text(group.to_string(), text)).await.expect("sent")
}

/// Waits for this text in the group; the sender's number.
async fn hears(device: &Linked, group: &Jid, text: &str) -> String {
    let heard = device.wait(text, |event| match event {
        Event::Messages(batch) => batch
            .iter()
            .find(|one| one.message.conversation.as_deref() == Some(text))
            .map(|one| one.info.source.clone()),
        _ => None,
    });
    let source = heard.await;
    assert_eq!(source.chat, *group, "{text} is in the wrong chat");
    let known = [Some(&source.sender), source.sender_alt.as_ref()];
    let number = known.into_iter().flatten().find(|jid| jid.is_pn());
    number.expect("a number").user_base().to_owned()
}

/// Waits for a change of this group that `pick` likes.
async fn told<T>(device: &Linked, group: &Jid, what: &str, pick: impl Fn(&Action) -> Option<T>) -> T {
    device
        .wait(what, |event| match event {
            Event::GroupUpdate(update) if update.group_jid == *group => pick(&update.action),
            _ => None,
        })
        .await
}

/// What the phone shows of the group, as (who, text).
async fn shown(sandbox: &Sandbox, phone: &str, group: &Jid, count: usize) -> Vec<(String, String)> {
    let of_group = |inbox: &wapid_sandbox::Inbox| -> Vec<(String, String)> {
        let own = inbox.messages.iter().filter(|message| message.to == group.to_string());
        own.map(|message| (message.from.clone(), message.message.clone())).collect()
    };
    of_group(&shows(sandbox, phone, |inbox| of_group(inbox).len() >= count).await)
}

fn code<T>(result: Result<T, GroupError>) -> Option<u16> {
    match result {
        Ok(_) => None,
        Err(GroupError::Iq(IqError::ServerError { code, .. })) => Some(code),
        Err(other) => panic!("no answer of the server: {other:?}"),
    }
}

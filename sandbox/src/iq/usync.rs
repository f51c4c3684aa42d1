//! "Who are these people?": devices, LIDs and whether a number is on WhatsApp.
//!
//! Shapes: wacore 0.7.0, src/iq/usync.rs. Who asks for a device list hears of its changes later.
//!
//! A number that is asked about may be another spelling of somebody's: the answer has the account's own
//! address. An address that is asked about is that account's or nobody's.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::{Answer, BAD_REQUEST, TOO_MANY};
use crate::account::{Account, DeviceRef};
use crate::net::Net;
use crate::stanza::{Read as _, now, tag};

pub(super) fn answer(net: &Net, asker: &DeviceRef, question: Option<&Node>) -> Answer {
    let question = question.ok_or(BAD_REQUEST)?;
    let copied = |name: &str| question.text(name).unwrap_or_default().into_owned();
    let protocols: Vec<&str> = question
        .get_optional_child("query")
        .map_or(&[][..], |query| query.nodes())
        .iter()
        .map(|protocol| &*protocol.tag)
        .collect();
    let users = question.get_optional_child("list").map_or(&[][..], |list| list.nodes());
    if protocols.contains(&"contact") {
        let mut state = asker.account.state.lock();
        state.lookups.questions += 1;
        state.lookups.numbers += users.len() as u64;
        if state.faults.refuses_lookup() {
            return Err(TOO_MANY);
        }
    }
    let users = users.iter().map(|user| user_node(net, asker, &protocols, user));
    let result = protocols.iter().map(|name| NodeBuilder::new_dynamic((*name).to_owned()).build());
    Ok(vec![
        tag("usync")
            .attr("sid", copied("sid"))
            .attr("index", "0")
            .attr("last", "true")
            .attr("mode", copied("mode"))
            .attr("context", copied("context"))
            .children([tag("result").children(result).build(), tag("list").children(users).build()])
            .build(),
    ])
}

/// Whom a question is about. A user is named by an address or, in a question for contacts, by what stands in
/// `<contact>`: a number however it is written, as whatsmeow does with `@c.us` behind it, or a LID.
fn asked_for(net: &Net, book: &str, user: &Node) -> (Option<Jid>, Option<Arc<Account>>) {
    let address = user.jid("jid").or_else(|| {
        let content = String::from_utf8_lossy(user.content_of("contact"));
        content.trim().parse().ok().filter(|jid: &Jid| jid.is_lid())
    });
    if let Some(jid) = address {
        let account = net.resolve(book, &jid);
        return (Some(jid), account);
    }
    let content = String::from_utf8_lossy(user.content_of("contact"));
    let number = content.split(['@', ':']).next().unwrap_or_default();
    let number: String = number.chars().filter(char::is_ascii_digit).collect();
    if number.is_empty() {
        // What names nobody has no address: clients pass over a user without one.
        return (None, None);
    }
    let account = net.look_up(book, &number);
    (Some(Jid::pn(account.as_ref().map_or(number.as_str(), |account| account.phone.as_str()))), account)
}

fn user_node(net: &Net, asker: &DeviceRef, protocols: &[&str], user: &Node) -> Node {
    let (jid, account) = asked_for(net, &asker.account.book, user);
    let mut answer = tag("user");
    if let Some(jid) = &jid {
        answer = answer.attr("jid", jid.to_non_ad());
    }
    if let Some(account) = &account
        && jid.is_some_and(|jid| jid.is_lid())
        && !account.hides_from(&asker.account)
    {
        answer = answer.attr("pn_jid", Jid::pn(account.phone.as_str()));
    }
    let children = protocols.iter().filter_map(|protocol| match (*protocol, &account) {
        ("devices", Some(account)) => Some(device_list(net, asker, account)),
        ("lid", Some(account)) => Some(tag("lid").attr("val", Jid::lid(account.lid.as_str())).build()),
        ("contact", account) => {
            let kind = if account.is_some() { "in" } else { "out" };
            // The number comes back as it was asked: the address may differ from it.
            Some(tag("contact").attr("type", kind).bytes(user.content_of("contact")).build())
        }
        ("status", Some(account)) => Some(about(asker, account)),
        ("picture", Some(account)) => Some(picture(asker, account)),
        _ => None,
    });
    answer.children(children).build()
}

/// Who is blocked is told as much as somebody whom the owner's privacy leaves out.
fn about(asker: &DeviceRef, account: &Account) -> Node {
    let state = account.state.lock();
    let profile = &state.person.profile;
    if profile.blocked.contains_key(&asker.account.phone) {
        return tag("status").attr("code", "401").build();
    }
    if profile.about.is_empty() {
        return tag("status").build();
    }
    tag("status").attr("t", profile.about_at).bytes(profile.about.as_bytes()).build()
}

fn picture(asker: &DeviceRef, account: &Account) -> Node {
    let state = account.state.lock();
    let is_blocked = state.person.profile.blocked.contains_key(&asker.account.phone);
    match state.person.picture.as_ref().filter(|_| !is_blocked) {
        Some(picture) => tag("picture").attr("id", picture.id.to_string()).build(),
        None => {
            let error = tag("error").attr("code", "404").attr("text", "item-not-found").build();
            tag("picture").children([error]).build()
        }
    }
}

fn device_list(net: &Net, asker: &DeviceRef, account: &Arc<Account>) -> Node {
    let mut state = account.state.lock();
    let is_other = !Arc::ptr_eq(account, &asker.account);
    if is_other && state.watchers.insert(asker.noise_key) {
        let mut batch = net.journal.batch();
        batch.put("watcher", || format!("{}w/{}", account.place(), hex::encode(asker.noise_key)), Vec::new);
        net.journal.append(batch);
    }
    let indexes: Vec<u32> = state.devices.values().map(|device| device.key_index).collect();
    let phone = tag("device").attr("id", "0").build();
    let devices = state.devices.iter().map(|(id, device)| {
        tag("device").attr("id", u32::from(*id)).attr("key-index", device.key_index).build()
    });
    tag("devices")
        .children([
            tag("device-list").children(std::iter::once(phone).chain(devices)).build(),
            tag("key-index-list").attr("ts", now()).bytes(account.keys().key_index_list(&indexes)).build(),
        ])
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::media::Shelves;
    use crate::restore;

    /// whatsmeow asks about `+15550000002@c.us`; Baileys about `+15550000002`; people write all sorts of numbers.
    #[test]
    fn a_number_is_found_however_a_client_writes_it() {
        let net =
            restore::network(Journal::in_memory(), Shelves::temporary(), Vec::new()).expect("a network");
        let phone = |number: &str| net.create("book", number, "Somebody", &[]).expect("a phone").0;
        let asker = DeviceRef { account: phone("15550000001"), id: 1, noise_key: [0; 32] };
        let lid = format!("{}@lid", phone("15550000002").lid);
        for (asked, jid, kind) in [
            ("+15550000002@c.us", Some("15550000002@s.whatsapp.net"), "in"),
            ("15550000002@c.us", Some("15550000002@s.whatsapp.net"), "in"),
            ("15550000002@s.whatsapp.net", Some("15550000002@s.whatsapp.net"), "in"),
            ("15550000002:3@s.whatsapp.net", Some("15550000002@s.whatsapp.net"), "in"),
            ("+15550000002", Some("15550000002@s.whatsapp.net"), "in"),
            ("+1 (555) 000-0002", Some("15550000002@s.whatsapp.net"), "in"),
            (lid.as_str(), Some(lid.as_str()), "in"),
            ("+15550000003@c.us", Some("15550000003@s.whatsapp.net"), "out"),
            ("100000000000000@lid", Some("100000000000000@lid"), "out"),
            ("1@2@3@c.us", Some("1@s.whatsapp.net"), "out"),
            ("", None, "out"),
            ("@c.us", None, "out"),
            ("nobody@c.us", None, "out"),
        ] {
            let contact = tag("contact").bytes(asked.as_bytes()).build();
            let answer = user_node(&net, &asker, &["contact"], &tag("user").children([contact]).build());
            assert_eq!(answer.jid("jid").map(|jid| jid.to_string()).as_deref(), jid, "{asked}");
            let contact = answer.get_optional_child("contact").expect("what was asked");
            assert_eq!(contact.text("type").as_deref(), Some(kind), "{asked}");
            // The question comes back as it was put: clients match the answer by it.
            assert_eq!(contact.content(), asked.as_bytes());
        }
    }
}

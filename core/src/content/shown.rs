//! What events and the log show of a message beside its text.

use serde_json::{Map, Value, json};

use super::{Body, Content, Context, Preview, STATUS};

/// Fields of an object, all of them optional for its reader. A poll's secret is never among them.
pub fn shown(content: &Content) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match &content.body {
        Body::Poll(poll) => {
            put("poll", json!({ "options": poll.options, "selectableCount": poll.selectable_count }));
        }
        Body::Location(place) => {
            put("location", serde_json::to_value(place).expect("a place is an object"));
        }
        Body::Contact(cards) => {
            let cards = cards
                .contacts
                .iter()
                .map(|card| json!({ "name": card.name, "phones": card.numbers(), "vcard": card.vcard }));
            put("contacts", cards.collect());
        }
        Body::Reaction(reaction) => {
            put("emoji", reaction.emoji.as_str().into());
        }
        Body::Vote(vote) => {
            put("votes", json!(vote.votes));
        }
        Body::Delete(delete) if delete.by_admin => {
            put("byAdmin", true.into());
        }
        body => {
            if let Some((_, medium)) = body.medium() {
                put("mediaId", medium.media.as_str().into());
                if medium.view_once {
                    put("viewOnce", true.into());
                }
            }
        }
    }
    if let Some(target) = content.target() {
        put("targetId", target.id.as_str().into());
        put("targetFromMe", target.from_me.into());
    }
    let Context { quoted, mentions, mentioned_me, forwarded, expires_in, preview, truncated, unreadable } =
        &content.context;
    if let Some(quoted) = quoted {
        let mut shown = json!({
            "messageId": quoted.id, "from": quoted.sender, "type": quoted.kind, "body": quoted.text
        });
        if let Some(chat) = &quoted.chat {
            shown["chat"] = chat.as_str().into();
            if chat == STATUS {
                shown["isStatus"] = true.into();
            }
        }
        put("quoted", shown);
    }
    if !mentions.is_empty() {
        put("mentions", json!(mentions));
    }
    if *mentioned_me {
        put("mentionedMe", true.into());
    }
    if let Some(times) = forwarded {
        put("forwarded", true.into());
        put("forwardedTimes", (*times).into());
    }
    if let Some(seconds) = expires_in.filter(|seconds| *seconds > 0) {
        put("expiresIn", seconds.into());
    }
    if *truncated {
        put("truncated", true.into());
    }
    if let Some(why) = unreadable {
        put("unreadable", why.as_str().into());
    }
    // A wish shows nothing: whether it came true is seen on the phone.
    if let Some(Preview::Of(page)) = preview {
        put("linkPreview", serde_json::to_value(page).expect("a page is an object"));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Body, Page, Poll, Words};

    #[test]
    fn a_plain_text_shows_nothing_more() {
        assert!(shown(&Content::from(Body::Text(Words::plain("hello")))).is_empty());
    }

    #[test]
    fn a_page_is_shown_and_a_wish_for_one_is_not() {
        let mut content = Content::text("https://shop.example/");
        content.context.preview = Some(Preview::Wanted);
        assert!(shown(&content).is_empty());
        let page = Page { url: "https://shop.example/".into(), title: "The Shop".into(), description: None };
        let expected = json!({"url": "https://shop.example/", "title": "The Shop"});
        assert_eq!(shown(&content.showing(page))["linkPreview"], expected);
    }

    #[test]
    fn what_was_cut_says_so() {
        let mut content = Content::text("the beginning");
        assert!(!shown(&content).contains_key("truncated"));
        content.context.truncated = true;
        assert_eq!(shown(&content)["truncated"], true);
    }

    #[test]
    fn a_polls_secret_is_not_shown() {
        let poll = Poll {
            message: "?".into(),
            options: vec!["A".into(), "B".into()],
            selectable_count: 1,
            secret: [0xab; 32],
        };
        let shown = serde_json::to_string(&shown(&Body::Poll(poll).into())).unwrap();
        assert!(shown.contains("\"options\":[\"A\",\"B\"]") && !shown.contains("abab"), "{shown}");
    }
}

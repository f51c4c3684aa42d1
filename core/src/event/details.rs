//! What events and the log show of a message beside its text. A poll's secret is never part of it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::content::{Body, Card, Content, Page, Place, Preview, Quoted, STATUS};

/// What a message of the log says beside its text, by its type
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_once: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<PlaceShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<CardShown>>,
    /// Of a reaction; empty where it was taken back
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Of a vote: all that this person chooses
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<Vec<String>>,
    /// Deleted by an admin of the group
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_admin: Option<bool>,
    /// Of a reaction, a vote, an edit or a delete: the message that it changes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_from_me: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<QuotedShown>,
    /// JIDs of people it mentions
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Vec<String>>,
    /// It mentions this number, by the number or by its LID
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentioned_me: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<bool>,
    /// How often it was forwarded before
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_times: Option<u32>,
    /// In a disappearing chat: seconds until it is gone
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
    /// It was longer than 65,536 characters, and its end is not here
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<LinkPreviewShown>,
}

/// A poll's answers
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PollShown {
    pub options: Vec<String>,
    /// How many one may choose; 0 is any number
    pub selectable_count: u32,
}

/// A place
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PlaceShown {
    pub latitude: f64,
    pub longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// It moves while it is shared; this is where it began
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
}

/// A contact card
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CardShown {
    pub name: String,
    pub phones: Vec<String>,
    pub vcard: String,
}

/// The message that one answers
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QuotedShown {
    pub message_id: String,
    pub from: Option<String>,
    pub r#type: String,
    pub body: String,
    /// The chat it is in, where that is another one: a group that is answered in private, or `status@broadcast`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// It is a status of this number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_status: Option<bool>,
}

/// The page below a text, as its writer's app read it
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LinkPreviewShown {
    /// As it stands in the text
    #[cfg_attr(feature = "schema", schema(example = "https://example.com/shop"))]
    pub url: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl MessageDetails {
    pub fn of(content: &Content) -> Self {
        let context = &content.context;
        let target = content.target();
        let mut details = Self {
            target_id: target.map(|target| target.id.to_string()),
            target_from_me: target.map(|target| target.from_me),
            quoted: context.quoted.as_ref().map(QuotedShown::of),
            mentions: Some(context.mentions.clone()).filter(|mentions| !mentions.is_empty()),
            mentioned_me: context.mentioned_me.then_some(true),
            forwarded: context.forwarded.map(|_| true),
            forwarded_times: context.forwarded,
            expires_in: context.expires_in.filter(|seconds| *seconds > 0),
            truncated: context.truncated.then_some(true),
            unreadable: context.unreadable.clone(),
            link_preview: match &context.preview {
                Some(Preview::Of(page)) => Some(LinkPreviewShown::of(page)),
                // A wish shows nothing: whether it came true is seen on the phone.
                Some(Preview::Wanted) | None => None,
            },
            ..Self::default()
        };
        match &content.body {
            Body::Poll(poll) => {
                let options = poll.options.clone();
                details.poll = Some(PollShown { options, selectable_count: poll.selectable_count });
            }
            Body::Location(place) => details.location = Some(PlaceShown::of(place)),
            Body::Contact(cards) => {
                details.contacts = Some(cards.contacts.iter().map(CardShown::of).collect());
            }
            Body::Reaction(reaction) => details.emoji = Some(reaction.emoji.clone()),
            Body::Vote(vote) => details.votes = Some(vote.votes.clone()),
            Body::Delete(delete) => details.by_admin = delete.by_admin.then_some(true),
            body => {
                if let Some((_, medium)) = body.medium() {
                    details.media_id = Some(medium.media.to_string());
                    details.view_once = medium.view_once.then_some(true);
                }
            }
        }
        details
    }

    /// As fields of a larger object, in the order of their names.
    pub fn into_fields(self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            other => unreachable!("a struct with named fields is an object, not {other:?}"),
        }
    }
}

impl PlaceShown {
    fn of(place: &Place) -> Self {
        Self {
            latitude: place.latitude.get(),
            longitude: place.longitude.get(),
            name: place.name.clone(),
            address: place.address.clone(),
            live: place.live.then_some(true),
        }
    }
}

impl CardShown {
    fn of(card: &Card) -> Self {
        Self { name: card.name.clone(), phones: card.numbers(), vcard: card.vcard.clone() }
    }
}

impl LinkPreviewShown {
    fn of(page: &Page) -> Self {
        Self { url: page.url.clone(), title: page.title.clone(), description: page.description.clone() }
    }
}

impl QuotedShown {
    fn of(quoted: &Quoted) -> Self {
        Self {
            message_id: quoted.id.clone(),
            from: quoted.sender.clone(),
            r#type: quoted.kind.clone(),
            body: quoted.text.clone(),
            chat: quoted.chat.clone(),
            is_status: (quoted.chat.as_deref() == Some(STATUS)).then_some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::content::{Poll, Words};

    fn shown(content: &Content) -> Map<String, Value> {
        MessageDetails::of(content).into_fields()
    }

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

//! Events in `openapi.json`: for each type, what its `data` is.
//!
//! The shapes are those of the structs that the ledger fills. Here they are put together: events whose data has the
//! same shape are one schema, and an event is any of these, told apart by its type.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AnyOfBuilder, Discriminator, Object, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::{
    CallEvent, ChangeEvent, EndpointEvent, Event, GroupEvent, JobEvent, Kind, MediaEvent, MessageEvent,
    OptOutEvent, PresenceEvent, ReceivedEvent, SessionEvent, TypingEvent,
};

/// Every type of event.
struct EventType;

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        words(Kind::ALL).into()
    }
}

impl ToSchema for EventType {}

/// One of these words.
fn words(kinds: &[Kind]) -> Object {
    let words = kinds.iter().map(|kind| kind.as_str());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

/// Events whose `data` has the same shape.
struct Family {
    name: &'static str,
    kinds: Vec<Kind>,
    data: fn() -> (String, RefOr<Schema>),
    parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Family {
    /// Those with `D` as their data.
    fn of<D: ToSchema>(name: &'static str) -> Self {
        let kinds = Kind::ALL.iter().copied().filter(|kind| kind.shape() == D::name()).collect();
        Self { name, kinds, data: || (D::name().into_owned(), D::schema()), parts: D::schemas }
    }

    fn all() -> [Self; 12] {
        [
            Self::of::<SessionEvent>("SessionHappened"),
            Self::of::<ReceivedEvent>("MessageReceived"),
            Self::of::<MessageEvent>("MessageAdvanced"),
            Self::of::<ChangeEvent>("MessageChanged"),
            Self::of::<MediaEvent>("MediaHappened"),
            Self::of::<GroupEvent>("GroupHappened"),
            Self::of::<JobEvent>("JobHappened"),
            Self::of::<OptOutEvent>("OptOutHappened"),
            Self::of::<PresenceEvent>("PresenceUpdated"),
            Self::of::<TypingEvent>("ChatTyping"),
            Self::of::<CallEvent>("CallReceived"),
            Self::of::<EndpointEvent>("EndpointHappened"),
        ]
    }

    fn schema(&self) -> Schema {
        let (data, _) = (self.data)();
        Schema::Object(event(words(&self.kinds).into(), Ref::from_schema_name(data).into()))
    }
}

/// An event with that type and that data.
fn event(kind: RefOr<Schema>, data: RefOr<Schema>) -> Object {
    let RefOr::T(Schema::Object(mut event)) = Event::schema() else {
        unreachable!("a struct with named fields is an object")
    };
    event.properties.insert("type".to_owned(), kind);
    event.properties.insert("data".to_owned(), data);
    event.description = None;
    event
}

/// An event as an endpoint of the format `standard` is sent it. Generators that put types together from parts take no
/// choice as one, so its `data` is any of the shapes.
pub fn sent_event() -> Object {
    let test = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["test"]));
    let kind = AnyOfBuilder::new().item(Ref::from_schema_name(EventType::name())).item(test);
    let shapes = Family::all()
        .into_iter()
        .fold(AnyOfBuilder::new(), |shapes, family| shapes.item(Ref::from_schema_name((family.data)().0)));
    let test = ObjectBuilder::new().schema_type(Type::Object).description(Some("Of a test"));
    event(Schema::AnyOf(kind.build()).into(), Schema::AnyOf(shapes.item(test).build()).into())
}

/// An event of any type: `Event` in the document.
pub struct AnyEvent;

impl PartialSchema for AnyEvent {
    fn schema() -> RefOr<Schema> {
        let families = Family::all();
        let mapping = families.iter().flat_map(|family| {
            let leads_to = Ref::from_schema_name(family.name).ref_location;
            family.kinds.iter().map(move |kind| (kind.as_str().to_owned(), leads_to.clone()))
        });
        let by_type = Discriminator::with_mapping("type", mapping);
        let description = "Something that happened, in this shape everywhere: in the log, in streams, and in webhooks \
                           of the format `standard`, which have `tenantId` and `mode` besides. Its `type` says what \
                           `data` is";
        let mut one_of = OneOfBuilder::new().discriminator(Some(by_type)).description(Some(description));
        for family in &families {
            one_of = one_of.item(Ref::from_schema_name(family.name));
        }
        Schema::OneOf(one_of.build()).into()
    }
}

impl ToSchema for AnyEvent {
    fn name() -> Cow<'static, str> {
        "Event".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((EventType::name().into_owned(), EventType::schema()));
        for family in Family::all() {
            schemas.push((family.name.to_owned(), family.schema().into()));
            schemas.push((family.data)());
            (family.parts)(schemas);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_of_one_family() {
        let mut kinds: Vec<Kind> = Family::all().into_iter().flat_map(|family| family.kinds).collect();
        kinds.sort_by_key(|kind| Kind::ALL.iter().position(|one| one == kind));
        assert_eq!(kinds, Kind::ALL);
    }
}

//! People of a list and hours of a week, for `openapi.json`. Read by `recipients` and by `wapid_core`'s pacing.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// One of the recipients: a number, or an object with a `phone` and any other fields.
pub struct ListedPerson;

impl PartialSchema for ListedPerson {
    fn schema() -> RefOr<Schema> {
        let written = || ObjectBuilder::new().schema_type(Type::String).examples(["919876543210"]);
        let digits = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let phone = || Schema::AnyOf(AnyOfBuilder::new().item(written()).item(digits()).build());
        // What a template can say.
        let said = || SchemaType::Array(vec![Type::String, Type::Number, Type::Boolean, Type::Null]);
        let field = ObjectBuilder::new().schema_type(said()).build();
        let whole = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("phone", phone())
            .property("name", ObjectBuilder::new().schema_type(said()))
            .required("phone")
            .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(Schema::Object(field)))));
        let either = AnyOfBuilder::new().item(written()).item(digits()).item(whole);
        let description = "A number, or an object with a `phone`, perhaps a `name` and any other fields";
        Schema::AnyOf(either.description(Some(description)).build()).into()
    }
}

impl ToSchema for ListedPerson {}

/// Hours of some days in which bulk messages may leave, in the tenant's time zone. One that ends at or before its
/// beginning ends on the next day
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by utoipa only")]
pub struct SendingWindow {
    /// Every day where none is named
    days: Option<Vec<Weekday>>,
    #[schema(pattern = "^[0-9]{1,2}:[0-9]{1,2}$", example = "09:00")]
    from: String,
    /// `24:00` is the day's end
    #[schema(pattern = "^[0-9]{1,2}:[0-9]{1,2}$", example = "18:00")]
    to: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "read by utoipa only")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

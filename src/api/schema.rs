//! Schemas of the document that no type of the API has by itself: the words of the domain's enums, instants, and texts
//! of one form.

use crate::api::view::wire_time::RequestInstant;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use std::cell::Cell;
use std::marker::PhantomData;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// An e-mail address.
#[derive(ToSchema)]
#[schema(format = Email, min_length = 3, max_length = 254, example = "ann.lee@example.com")]
#[expect(dead_code, reason = "describes texts in the OpenAPI document")]
pub(super) struct Address(String);

/// An e-mail address, or blank for none.
#[derive(ToSchema)]
#[schema(
    max_length = 254,
    pattern = r"^\s*$|^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)]
#[expect(dead_code, reason = "describes texts in the OpenAPI document")]
pub(super) struct OptionalAddress(String);

/// Whom a question is for: an address, or `address::step name`, or blank for the requester.
#[derive(ToSchema)]
#[schema(
    max_length = 600,
    pattern = r"^\s*$|^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?){0,2}(::.*)?$"
)]
#[expect(dead_code, reason = "describes texts in the OpenAPI document")]
pub(super) struct AskedPerson(String);

/// The id of an uploaded file.
#[derive(ToSchema)]
#[schema(pattern = "^ATT-[0-9a-f]{12}$", example = "ATT-11aa22bb33cc")]
#[expect(dead_code, reason = "describes texts in the OpenAPI document")]
pub(super) struct FileId(String);

/// The words of an enum of the domain, as serde writes and reads them.
pub(super) fn words<T: DeserializeOwned>() -> Schema {
    let all = words_of::<T>().iter().copied();
    let one = ObjectBuilder::new().schema_type(Type::String);
    one.enum_values(Some(all)).build().into()
}

/// The same where null may stand.
pub(super) fn optional_words<T: DeserializeOwned>() -> Schema {
    let all = words_of::<T>().iter().map(|word| Some(*word)).chain([None]);
    let one = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    one.enum_values(Some(all)).build().into()
}

/// One of such words as the type of a parameter: the schema of a function would take its description away.
pub(super) struct Word<T>(PhantomData<T>);

impl<T: DeserializeOwned> ToSchema for Word<T> {}

impl<T: DeserializeOwned> PartialSchema for Word<T> {
    fn schema() -> RefOr<Schema> {
        RefOr::T(words::<T>())
    }
}

/// A list of such words as the type of a parameter.
pub(super) struct Words<T>(PhantomData<T>);

impl<T: DeserializeOwned> ToSchema for Words<T> {}

impl<T: DeserializeOwned> PartialSchema for Words<T> {
    fn schema() -> RefOr<Schema> {
        let list = ArrayBuilder::new().items(RefOr::T(words::<T>()));
        RefOr::T(list.build().into())
    }
}

/// Such words as one text, separated by commas; blanks and empty places are passed over.
pub(super) struct CommaList<T>(PhantomData<T>);

impl<T: DeserializeOwned> ToSchema for CommaList<T> {}

impl<T: DeserializeOwned> PartialSchema for CommaList<T> {
    fn schema() -> RefOr<Schema> {
        let word = format!(r"\s*({})?\s*", words_of::<T>().join("|"));
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(300))
            .pattern(Some(format!("^{word}(,{word})*$")));
        RefOr::T(text.build().into())
    }
}

/// Flattened fields that are there all together or not at all.
pub(super) fn all_or_nothing<T: PartialSchema>() -> Schema {
    let nothing = ObjectBuilder::new().schema_type(Type::Object);
    AnyOfBuilder::new().item(T::schema()).item(nothing).build().into()
}

impl ToSchema for RequestInstant {}

impl PartialSchema for RequestInstant {
    fn schema() -> RefOr<Schema> {
        let text = |format| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(format)))
        };
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(-62_135_596_800_i64))
            .maximum(Some(253_402_300_799_i64));
        let any = AnyOfBuilder::new()
            .item(text(KnownFormat::Date))
            .item(text(KnownFormat::DateTime))
            .item(seconds);
        RefOr::T(any.build().into())
    }
}

/// The words that serde knows an enum by, in the order of its variants; nothing for a type that is no enum.
fn words_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let found = Cell::new([].as_slice());
    // The answer is always an error: only the question is of interest.
    let _ = T::deserialize(Listener(&found));
    found.get()
}

/// A deserializer that only hears which variants an enum asks for.
struct Listener<'a>(&'a Cell<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only enums have words"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.set(variants);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ticket::TicketStatus;
    use serde_json::json;

    #[test]
    fn an_enum_has_the_words_that_serde_reads() {
        let schema = serde_json::to_value(words::<TicketStatus>()).unwrap();
        let words = schema["enum"].as_array().unwrap();
        assert!(words.len() > 3);
        for word in words {
            assert!(
                serde_json::from_value::<TicketStatus>(word.clone()).is_ok(),
                "{word}"
            );
        }
        let optional = serde_json::to_value(optional_words::<TicketStatus>()).unwrap();
        assert_eq!(optional["type"], json!(["string", "null"]));
        assert_eq!(optional["enum"].as_array().unwrap().len(), words.len() + 1);
    }
}

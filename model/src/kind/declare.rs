//! Declarations of kinds: from one list of fields follow the kind, the setters of a composite and the getters and
//! setters of a driver. A misspelt field does not compile.
//!
//! ```ignore
//! kind! {
//!     /// A stream.
//!     Stream, STREAM {
//!         name: Text => immutable().sets("CreateStream.StreamName"),
//!         shard_count: Option<Number> => sets("CreateStream.ShardCount"),
//!     }
//!     name: "kinesis_stream",
//!     …
//! }
//!
//! graph.add(Stream, "main").name("clicks").shard_count(Some(2)); // in a composite
//! View::<Stream>::of(settings).shard_count() // in a driver: Option<i32>
//! ```

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::Value as Json;

use super::{Kind, KindField, Type, field};
use crate::composite::Settings;

/// The name of a field without the mark of a raw identifier, e.g. `type` of `r#type`.
pub const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// A declared kind.
pub trait Declared {
    /// The kind.
    fn kind() -> &'static Kind;
}

/// The type of a field. `Option` makes it a field that not every object has.
pub trait FieldType {
    /// A field of this type, without a name.
    const FIELD: KindField;
    /// The value that a composite gives: an expression, or an option of one.
    type Given<E>;
    /// The value that a driver reads. A number or flag may be missing even if every object has it: an update leaves out a field
    /// whose drift is ignored and that AWS does not report.
    type Read<'a>;
    /// The value that a driver reads if not every object has the field.
    type ReadSome<'a>;

    /// The expression that was given, if any.
    fn given<E>(given: Self::Given<E>) -> Option<E>;
    /// Reads a setting. Text and collections that are missing read as empty.
    fn read(setting: Option<&Json>) -> Self::Read<'_>;
    /// Reads a setting that not every object has.
    fn read_some(setting: Option<&Json>) -> Self::ReadSome<'_>;
}

/// Implements the parts of a type that every object has.
macro_rules! required {
    ($ty:ident) => {
        const FIELD: KindField = field("", Type::$ty);
        type Given<E> = E;

        fn given<E>(given: E) -> Option<E> {
            Some(given)
        }
    };
}

/// A string.
#[derive(Debug)]
pub struct Text;

impl FieldType for Text {
    required!(Text);
    type Read<'a> = &'a str;
    type ReadSome<'a> = Option<&'a str>;

    fn read(setting: Option<&Json>) -> &str {
        setting.and_then(Json::as_str).unwrap_or_default()
    }

    fn read_some(setting: Option<&Json>) -> Option<&str> {
        present(setting).map(|setting| Self::read(Some(setting)))
    }
}

/// An integer.
#[derive(Debug)]
pub struct Number;

impl FieldType for Number {
    required!(Number);
    type Read<'a> = Option<i32>;
    type ReadSome<'a> = Option<i32>;

    fn read(setting: Option<&Json>) -> Option<i32> {
        setting.and_then(Json::as_i64).and_then(|number| i32::try_from(number).ok())
    }

    fn read_some(setting: Option<&Json>) -> Option<i32> {
        Self::read(setting)
    }
}

/// A number that AWS also takes with a fraction.
#[derive(Debug)]
pub struct Decimal;

impl FieldType for Decimal {
    const FIELD: KindField = field("", Type::Number);
    type Given<E> = E;
    type Read<'a> = Option<f64>;
    type ReadSome<'a> = Option<f64>;

    fn given<E>(given: E) -> Option<E> {
        Some(given)
    }

    fn read(setting: Option<&Json>) -> Option<f64> {
        setting.and_then(Json::as_f64)
    }

    fn read_some(setting: Option<&Json>) -> Option<f64> {
        Self::read(setting)
    }
}

/// True or false.
#[derive(Debug)]
pub struct Flag;

impl FieldType for Flag {
    required!(Flag);
    type Read<'a> = Option<bool>;
    type ReadSome<'a> = Option<bool>;

    fn read(setting: Option<&Json>) -> Option<bool> {
        setting.and_then(Json::as_bool)
    }

    fn read_some(setting: Option<&Json>) -> Option<bool> {
        Self::read(setting)
    }
}

/// A list of strings.
#[derive(Debug)]
pub struct Texts;

impl FieldType for Texts {
    required!(Texts);
    type Read<'a> = Vec<String>;
    type ReadSome<'a> = Option<Vec<String>>;

    fn read(setting: Option<&Json>) -> Vec<String> {
        let items = setting.and_then(Json::as_array).into_iter().flatten();
        items.filter_map(Json::as_str).map(ToOwned::to_owned).collect()
    }

    fn read_some(setting: Option<&Json>) -> Option<Vec<String>> {
        present(setting).map(|setting| Self::read(Some(setting)))
    }
}

/// A map of strings.
#[derive(Debug)]
pub struct TextMap;

impl FieldType for TextMap {
    required!(TextMap);
    type Read<'a> = BTreeMap<String, String>;
    type ReadSome<'a> = Option<BTreeMap<String, String>>;

    fn read(setting: Option<&Json>) -> BTreeMap<String, String> {
        let entries = setting.and_then(Json::as_object).into_iter().flatten();
        entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }

    fn read_some(setting: Option<&Json>) -> Option<BTreeMap<String, String>> {
        present(setting).map(|setting| Self::read(Some(setting)))
    }
}

/// A JSON document. Its calls take it as a string.
#[derive(Debug)]
pub struct Document;

impl FieldType for Document {
    required!(Document);
    type Read<'a> = String;
    type ReadSome<'a> = Option<String>;

    fn read(setting: Option<&Json>) -> String {
        setting.map(ToString::to_string).unwrap_or_default()
    }

    fn read_some(setting: Option<&Json>) -> Option<String> {
        present(setting).map(|setting| Self::read(Some(setting)))
    }
}

/// The setting, if it is there.
fn present(setting: Option<&Json>) -> Option<&Json> {
    setting.filter(|setting| !setting.is_null())
}

impl<T: FieldType> FieldType for Option<T> {
    const FIELD: KindField = T::FIELD.of_some();
    type Given<E> = Option<E>;
    type Read<'a> = T::ReadSome<'a>;
    type ReadSome<'a> = T::ReadSome<'a>;

    fn given<E>(given: Option<E>) -> Option<E> {
        given
    }

    fn read(setting: Option<&Json>) -> T::ReadSome<'_> {
        T::read_some(setting)
    }

    fn read_some(setting: Option<&Json>) -> T::ReadSome<'_> {
        T::read_some(setting)
    }
}

/// The settings of an object, for its driver.
#[derive(Debug)]
pub struct View<'a, K> {
    settings: &'a Settings,
    kind: PhantomData<K>,
}

impl<'a, K> View<'a, K> {
    /// These settings.
    pub fn of(settings: &'a Settings) -> Self {
        Self { settings, kind: PhantomData }
    }

    /// One of the settings.
    pub(crate) fn read(&self, field: &str) -> Option<&'a Json> {
        self.settings.get(field)
    }
}

/// The settings that a driver observed. A null leaves a setting out.
#[derive(Debug)]
pub struct Seen<K> {
    settings: Settings,
    kind: PhantomData<K>,
}

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self { settings: Settings::new(), kind: PhantomData }
    }
}

impl<K> Seen<K> {
    /// Sets a field.
    pub(crate) fn put(mut self, field: &'static str, value: Json) -> Self {
        if !value.is_null() {
            self.settings.insert(field.to_owned(), value);
        }
        self
    }

    /// The settings.
    pub fn settings(self) -> Settings {
        self.settings
    }
}

/// Declares a kind, see [the module](self).
macro_rules! kind {
    (
        $(#[$doc:meta])*
        $object:ident, $kind:ident {
            $( $(#[$about:meta])* $field:ident : $ty:ty $( => $( $with:ident ( $($given:tt)* ) ).+ )? ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        #[allow(clippy::needless_update, reason = "some kinds differ from the default in every field")]
        pub static $kind: $crate::kind::Kind = $crate::kind::Kind {
            fields: &[$(
                <$ty as $crate::kind::declare::FieldType>::FIELD
                    .named($crate::kind::declare::plain(stringify!($field)))
                    $( $( .$with($($given)*) )+ )?
            ),*],
            $($rest)*
            ..$crate::kind::Kind::DEFAULT
        };

        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $object;

        impl $crate::kind::declare::Declared for $object {
            fn kind() -> &'static $crate::kind::Kind {
                &$kind
            }
        }

        impl $crate::graph::ObjectBuilder<'_, $object> {
            $(
                #[doc = concat!("Sets the field `", stringify!($field), "`.")]
                $(#[doc = ""] #[$about])*
                #[allow(dead_code, reason = "a field of imports and drivers alone")]
                pub(crate) fn $field<E: Into<$crate::expr::Expr>>(
                    self,
                    value: <$ty as $crate::kind::declare::FieldType>::Given<E>,
                ) -> Self {
                    let value = <$ty as $crate::kind::declare::FieldType>::given(value);
                    self.put($crate::kind::declare::plain(stringify!($field)), value.map(Into::into))
                }
            )*
        }

        impl<'a> $crate::kind::declare::View<'a, $object> {
            $(
                #[doc = concat!("The field `", stringify!($field), "`.")]
                $(#[doc = ""] #[$about])*
                pub fn $field(&self) -> <$ty as $crate::kind::declare::FieldType>::Read<'a> {
                    <$ty as $crate::kind::declare::FieldType>::read(self.read($crate::kind::declare::plain(stringify!($field))))
                }
            )*
        }

        impl $crate::kind::declare::Seen<$object> {
            $(
                #[doc = concat!("Sets the field `", stringify!($field), "`.")]
                $(#[doc = ""] #[$about])*
                pub fn $field(self, value: impl serde::Serialize) -> Self {
                    let value = serde_json::to_value(value).unwrap_or_default();
                    self.put($crate::kind::declare::plain(stringify!($field)), value)
                }
            )*
        }
    };
}
pub(crate) use kind;

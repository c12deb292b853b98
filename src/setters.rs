//! Methods that set one value of a settings type each, so that the type can grow.

/// Adds a method for each field, which returns the settings with another value of it.
macro_rules! setters {
    ($settings:ident { $($setter:ident: $field:ident, $type:ty;)* }) => {
        impl $settings {
            $(#[doc = concat!("Returns the settings with another [`", stringify!($settings), "::", stringify!($field), "`].")]
            #[must_use]
            pub fn $setter(mut self, value: $type) -> Self {
                self.$field = value;
                self
            })*
        }
    };
}

pub(crate) use setters;

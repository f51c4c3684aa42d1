//! The home of numbers that are written without a country code.

use super::plan;

/// A country whose code is put before numbers that are written without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(plan::Region);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two letters of ISO 3166, such as BR or IN")]
pub struct CountryError;

impl Country {
    /// # Errors
    /// [`CountryError`] for what is no ISO 3166 code of a country with a numbering plan.
    pub fn parse(code: &str) -> Result<Self, CountryError> {
        plan::region(code.trim()).map(Self).ok_or(CountryError)
    }

    /// Its two letters.
    pub fn code(self) -> String {
        self.0.to_string()
    }

    pub(super) fn region(self) -> plan::Region {
        self.0
    }
}

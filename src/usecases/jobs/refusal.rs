//! What is refused of a bulk job.

use wapid_core::job::{State, VARIANTS_MAX};
use wapid_core::pacing::{DELAY_LIMIT_MS, WindowError};
use wapid_core::store::jobs::NewJobError;

use super::order::{NAME_MAX, WEIGHT_MAX};
use super::texts::TextPlace;
use crate::recipients::ListError;
use crate::usecases::field::Field;

#[derive(Debug, thiserror::Error)]
pub enum JobRefusal {
    #[error("0 to {max} milliseconds", max = DELAY_LIMIT_MS)]
    Delay,
    #[error("not more than the longest")]
    DelayOrder,
    #[error(transparent)]
    Windows(WindowError),
    #[error("at most {max} characters, and no control characters", max = NAME_MAX)]
    Name,
    #[error("the time of day as well, such as 2026-03-08T10:30")]
    NoTimeOfDay,
    #[error("this time has passed")]
    Passed,
    #[error("within a year")]
    TooFarOff,
    #[error("instead of message, not beside it")]
    VariantsBesideMessage,
    #[error("in each of the variants, not beside them")]
    EdgesBesideVariants,
    #[error("1 to {max}", max = VARIANTS_MAX)]
    VariantCount,
    #[error("each a label of its own")]
    VariantLabel,
    #[error("1 to {max}", max = WEIGHT_MAX)]
    VariantWeight,
    #[error("one of them, not both")]
    TwoLists,
    #[error("required, or a file")]
    NoList,
    #[error(transparent)]
    List(#[from] ListError),
    /// What it held has made its reader panic.
    #[error("the list does not read")]
    UnreadableList { is_file: bool },
    /// With where in the file they were looked for, and why the first of them is none.
    #[error("none is usable{place}; row {row}: {why}")]
    NobodyUsable { place: String, row: u32, why: String },
    #[error("none; all {0} rows are hidden")]
    AllHidden(usize),
    #[error("none; the file has a header and no rows")]
    HeaderAlone,
    #[error("at least one")]
    Nobody,
    #[error("{why}")]
    Template { place: TextPlace, why: String },
    #[error("{why}")]
    UnknownField { place: TextPlace, why: String },
    #[error("the job is over: {}", .0.as_str())]
    IsOver(State),
    #[error(transparent)]
    NotMade(#[from] NewJobError),
}

impl JobRefusal {
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Delay => &[Field::DelayMin, Field::DelayMax],
            Self::DelayOrder => &[Field::DelayMin],
            Self::Windows(_) => &[Field::Windows],
            Self::Name => &[Field::JobName],
            Self::NoTimeOfDay | Self::Passed | Self::TooFarOff => &[Field::ScheduleAt],
            Self::VariantsBesideMessage | Self::VariantCount | Self::VariantLabel => &[Field::Variants],
            Self::EdgesBesideVariants => &[Field::Header, Field::Footer],
            Self::VariantWeight => &[Field::VariantWeight],
            Self::TwoLists => &[Field::Recipients, Field::File],
            Self::NoList
            | Self::List(_)
            | Self::NobodyUsable { .. }
            | Self::AllHidden(_)
            | Self::HeaderAlone
            | Self::Nobody => &[Field::Recipients],
            Self::Template { place, .. } | Self::UnknownField { place, .. } => {
                std::slice::from_ref(&place.field)
            }
            Self::UnreadableList { .. } | Self::IsOver(_) | Self::NotMade(_) => &[],
        }
    }
}

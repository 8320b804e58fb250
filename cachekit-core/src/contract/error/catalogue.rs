//! What every code means, how it comes about and what helps: the long texts of the catalogue.

use super::code::{ErrorCode, Explanation};

pub(super) fn explain(code: ErrorCode) -> &'static Explanation {
    match code {
        _ => &Explanation { code: ErrorCode::E001, meaning: "", causes: &[], fixes: &[], avoid: "", meanwhile: "" },
    }
}

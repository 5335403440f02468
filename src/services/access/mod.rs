//! Who may do what beside tickets: personas, administrators, and the bootstrap of the first one.

mod roles;

pub use roles::AccessService;

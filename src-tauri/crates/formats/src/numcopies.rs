//! How many copies there have to be. Never none: configurations of 0 count as 1, as in git-annex.

macro_rules! copies {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// Takes a configured number, at least 1.
            pub fn new(number: u32) -> Self {
                Self(number.max(1))
            }

            /// The number, at least 1.
            pub fn get(self) -> u32 {
                self.0
            }

            /// What counts of what may be configured: a command's option, then the file's
            /// attribute, then the log, then 1.
            pub fn resolve(option: Option<u32>, attribute: Option<u32>, log: Option<u32>) -> Self {
                option.or(attribute).or(log).map_or_else(Self::default, Self::new)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self(1)
            }
        }
    };
}

copies! {
    /// How many copies of a content are wanted: `numcopies.log`, attribute `annex.numcopies`.
    NumCopies
}
copies! {
    /// How many copies must be locked or trusted when one is dropped from a remote:
    /// `mincopies.log`, attribute `annex.mincopies`.
    MinCopies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_none() {
        assert_eq!((NumCopies::new(0).get(), MinCopies::default().get()), (1, 1));
        assert_eq!(NumCopies::resolve(Some(0), Some(5), None).get(), 1);
    }

    #[test]
    fn the_nearest_counts() {
        assert_eq!(NumCopies::resolve(None, Some(2), Some(3)).get(), 2);
        assert_eq!(NumCopies::resolve(Some(4), Some(2), Some(3)).get(), 4);
        assert_eq!(NumCopies::resolve(None, None, Some(3)).get(), 3);
        assert_eq!(NumCopies::resolve(None, None, None).get(), 1);
    }
}

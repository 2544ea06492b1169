//! What results make of each other, for any results.

use super::*;
use proptest::prelude::*;

fn answer() -> impl Strategy<Value = std::result::Result<Outcome, Fault>> {
    let messages = proptest::collection::vec("[a-z]{0,5}", 0..3);
    prop_oneof![
        (any::<bool>(), messages).prop_map(|(passing, messages)| Ok(Outcome { passing, messages, log: Vec::new() })),
        "[a-z]{1,5}".prop_map(|text| Err(Fault::Policy(text))),
        "[a-z]{1,5}".prop_map(|text| Err(Fault::Other(text))),
    ]
}

proptest! {
    #[test]
    fn any_and_all(said in proptest::collection::vec(any::<bool>(), 0..12)) {
        let none = said.is_empty();
        prop_assert_eq!(combined(Mode::Any, &said), none || said.iter().any(|s| *s));
        prop_assert_eq!(combined(Mode::All, &said), said.iter().all(|s| *s));
    }

    /// The order of bindings decides nothing but the order of messages.
    #[test]
    fn order_does_not_decide(mut said in proptest::collection::vec(any::<bool>(), 0..12)) {
        let before = (combined(Mode::Any, &said), combined(Mode::All, &said));
        said.reverse();
        prop_assert_eq!(before, (combined(Mode::Any, &said), combined(Mode::All, &said)));
    }

    /// Turning every answer round turns `any` into `all`.
    #[test]
    fn the_modes_mirror_each_other(said in proptest::collection::vec(any::<bool>(), 1..12)) {
        let turned: Vec<bool> = said.iter().map(|s| !s).collect();
        prop_assert_eq!(combined(Mode::Any, &said), !combined(Mode::All, &turned));
    }

    #[test]
    fn negation_turns_answers_and_nothing_else(answer in answer(), failure_result in any::<bool>()) {
        let (plain, turned) =
            (concluded(false, failure_result, answer.clone()), concluded(true, failure_result, answer.clone()));
        prop_assert_eq!(&plain.messages, &turned.messages);
        match answer {
            Ok(_) => prop_assert_ne!(plain.passing, turned.passing),
            Err(Fault::Policy(text)) => {
                prop_assert_eq!((plain.passing, turned.passing), (failure_result, failure_result));
                prop_assert_eq!(plain.messages, [text]);
            }
            Err(Fault::Other(text)) => {
                prop_assert_eq!((plain.passing, turned.passing), (false, false));
                prop_assert_eq!(plain.messages, [text]);
            }
        }
    }
}

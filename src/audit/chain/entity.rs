//! The tables of the chain.

pub mod link {
    //! Links: one for each change of the table of events.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_chain")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub sequence: i64,
        pub event_id: Uuid,
        /// SHA-256 of the event; `None` when it was removed.
        pub digest: Option<Vec<u8>>,
        /// Over the link before, and all of the above.
        pub hash: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod head {
    //! One row: which link is the last, and which the first that is left.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_head")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub sequence: i64,
        pub hash: Vec<u8>,
        /// The last link that was dropped; 0 when none was.
        pub anchor_sequence: i64,
        pub anchor_hash: Vec<u8>,
        /// Where the head was found changed from outside.
        pub broken_at: Option<i64>,
        /// Over all of the above.
        pub mac: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

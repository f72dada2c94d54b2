//! Who owns a merchant's `out_request_no`: a payment, or the tombstone of a reversal that came first. For ever.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::clock::Time;
use crate::id::{MchId, OutRequestNo, PayNo};

/// A number that was used.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "request_no")]
pub struct Model {
    /// The merchant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mch_id: MchId,
    /// Its number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub out_request_no: OutRequestNo,
    /// The payment; nothing for a tombstone.
    pub pay_no: Option<PayNo>,
    /// When it was used first.
    pub created_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Takes the number; a unique violation says that it was taken before.
pub async fn take(
    db: &impl ConnectionTrait,
    mch_id: &MchId,
    out_request_no: &OutRequestNo,
    pay_no: Option<PayNo>,
    now: Time,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        mch_id: Set(mch_id.clone()),
        out_request_no: Set(out_request_no.clone()),
        pay_no: Set(pay_no),
        created_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(db).await.map(|_| ())
}

/// Who owns the number.
pub async fn find(
    db: &impl ConnectionTrait,
    mch_id: &MchId,
    out_request_no: &OutRequestNo,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((mch_id.clone(), out_request_no.clone()))
        .one(db)
        .await
}

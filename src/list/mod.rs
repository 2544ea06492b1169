//! Listings as neutral values: which page, in which order, searched for what. Resources say which
//! columns take part; dialects say how it is written in a query and how a page looks.

mod attributes;
mod filter;
mod settings;

pub use attributes::{AttributeFilter, number_at, text_at};
pub use filter::{Comparison, Filter, FilterFault, Word};
pub use settings::{setting, setting_is};

use crate::error::{Error, Result};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, IntoSimpleExpr, Order, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Select, Statement,
    sea_query::{Expr, ExprTrait as _, Func, LikeExpr, NullOrdering, SimpleExpr},
};

/// Items on a page unless the caller says otherwise.
const DEFAULT_PAGE_SIZE: u64 = 100;

/// Most different words of a search: each becomes a condition, and databases bound how deep these nest.
const MOST_WORDS: usize = 100;

/// Longest searched word, in characters; SQLite takes patterns of 50,000 bytes.
const LONGEST_WORD: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Number(u64),
    Last,
}

/// A column that a listing may be ordered by.
pub struct OrderColumn {
    expression: SimpleExpr,
    /// Nulls come last in ascending order, as PostgreSQL has it; said aloud only where it matters,
    /// because SQLite then cannot use an index.
    nullable: bool,
}

impl OrderColumn {
    #[must_use]
    pub fn of(column: impl ColumnTrait) -> Self {
        Self { expression: Expr::col(column.as_column_ref()), nullable: false }
    }

    #[must_use]
    pub fn nullable(column: impl ColumnTrait) -> Self {
        Self { expression: Expr::col(column.as_column_ref()), nullable: true }
    }

    /// A value that is no column of the listed table, and may be null.
    #[must_use]
    pub fn computed(expression: SimpleExpr) -> Self {
        Self { expression, nullable: true }
    }
}

/// Makes the condition that drops the first so many rows, where that is cheaper than `OFFSET`, which
/// walks over every one of them.
pub type Jump = fn(u64) -> SimpleExpr;

/// What a caller asks of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRequest {
    page: Wanted,
    size: u64,
    /// Names with a direction, as given; unknown ones are dropped later.
    ordering: Vec<(String, Order)>,
    /// Lower-case words that must all occur.
    search: Vec<String>,
}

impl Default for ListRequest {
    fn default() -> Self {
        Self { page: Wanted::Number(1), size: DEFAULT_PAGE_SIZE, ordering: Vec::new(), search: Vec::new() }
    }
}

impl ListRequest {
    /// Reads the four parameters that every listing has (contract: authentik-core §1.5, §1.6).
    ///
    /// # Errors
    /// [`Error::InvalidPage`] when `page` is neither a positive number nor `last`; [`Error::Invalid`]
    /// for a search of more than [`MOST_WORDS`] words.
    pub fn new(
        page: Option<&str>,
        page_size: Option<&str>,
        ordering: Option<&str>,
        search: Option<&str>,
    ) -> Result<Self> {
        let page = match page {
            None => Wanted::Number(1),
            Some("last") => Wanted::Last,
            Some(text) => {
                text.trim().parse::<u64>().ok().filter(|n| *n > 0).map(Wanted::Number).ok_or(Error::InvalidPage)?
            }
        };
        let size = page_size.and_then(|t| t.trim().parse::<u64>().ok()).filter(|n| *n > 0).unwrap_or(DEFAULT_PAGE_SIZE);
        // A name a second time decides nothing, and databases bound how many there are.
        let mut seen = std::collections::BTreeSet::new();
        let ordering = ordering
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty() && seen.insert(name.strip_prefix('-').unwrap_or(name)))
            .map(|name| match name.strip_prefix('-') {
                Some(name) => (name.to_owned(), Order::Desc),
                None => (name.to_owned(), Order::Asc),
            })
            .collect();
        let mut search: Vec<String> = search
            .unwrap_or_default()
            .split([' ', ',', '\t', '\n', '\r'])
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        search.sort_unstable();
        search.dedup();
        if search.iter().any(|word| word.chars().count() > LONGEST_WORD) {
            let text = format!("Words of at most {LONGEST_WORD} characters can be searched for.");
            return Err(Error::rule("search", text));
        }
        if search.len() > MOST_WORDS {
            return Err(Error::rule("search", format!("At most {MOST_WORDS} words can be searched for.")));
        }
        Ok(Self { page, size: Ord::min(size, i64::MAX as u64), ordering, search })
    }

    /// Requires every searched word to occur in one of `columns`, which hold text in lower case.
    #[must_use]
    pub fn search_condition(&self, columns: &[SimpleExpr]) -> Condition {
        self.search.iter().fold(Condition::all(), |all, word| {
            let any = columns.iter().fold(Condition::any(), |any, column| any.add(column.clone().like(contains(word))));
            all.add(any)
        })
    }

    /// Orders by what was asked for, as far as the resource knows the names, else by its default (a
    /// leading hyphen reverses).
    /// A last, unique column makes pages stable.
    #[must_use]
    pub fn order<E: EntityTrait>(
        &self,
        mut select: Select<E>,
        column: impl Fn(&str) -> Option<OrderColumn>,
        default: &[&str],
        unique: impl IntoSimpleExpr,
    ) -> Select<E> {
        let mut known: Vec<_> =
            self.ordering.iter().filter_map(|(name, order)| Some((column(name)?, order.clone()))).collect();
        if known.is_empty() {
            let directed = default.iter().map(|name| match name.strip_prefix('-') {
                Some(name) => (name, Order::Desc),
                None => (*name, Order::Asc),
            });
            known = directed.filter_map(|(name, order)| Some((column(name)?, order))).collect();
        }
        for (OrderColumn { expression, nullable }, order) in known {
            select = match (nullable, &order) {
                (false, _) => select.order_by(expression, order),
                (true, Order::Desc) => select.order_by_with_nulls(expression, order, NullOrdering::First),
                (true, _) => select.order_by_with_nulls(expression, order, NullOrdering::Last),
            };
        }
        select.order_by(unique, Order::Asc)
    }

    /// Counts what `counted` selects and fetches one page of `select`, which must select the same rows.
    ///
    /// # Errors
    /// [`Error::InvalidPage`] beyond the end; otherwise when the database is away.
    pub async fn fetch<E, R>(&self, db: &impl ConnectionTrait, counted: Select<E>, select: Select<E>) -> Result<Page<R>>
    where
        E: EntityTrait,
        E::Model: Sync,
        R: FromQueryResult + Send + Sync,
    {
        let count = counted.count(db).await?;
        self.page(db, count, select, None).await
    }

    /// As [`ListRequest::fetch`], where `select` selects every row of a table that counts its rows. A
    /// `jump` must fit the order of `select`.
    ///
    /// # Errors
    /// As [`ListRequest::fetch`].
    pub async fn fetch_counted<E, R>(
        &self,
        db: &impl ConnectionTrait,
        table: &'static str,
        select: Select<E>,
        jump: Option<Jump>,
    ) -> Result<Page<R>>
    where
        E: EntityTrait,
        R: FromQueryResult + Send + Sync,
    {
        let count = row_count(db, table).await?;
        self.page(db, count, select, jump).await
    }

    /// What [`ListRequest::order`] sorts by before anything else.
    #[must_use]
    pub fn sorted_by<'a>(&'a self, known: impl Fn(&str) -> bool, default: &'a str) -> (&'a str, Order) {
        let asked = self.ordering.iter().find(|(name, _)| known(name));
        asked.map_or((default, Order::Asc), |(name, order)| (name, order.clone()))
    }

    /// Whether words are searched for.
    #[must_use]
    pub fn searches(&self) -> bool {
        !self.search.is_empty()
    }

    /// As [`ListRequest::search_condition`], for what is no table.
    #[must_use]
    pub fn finds(&self, fields: &[&str]) -> bool {
        let text = folded(fields);
        self.search.iter().all(|word| text.contains(word.as_str()))
    }

    /// Orders what is no table: `key` gives an item's value for a name that can be ordered by.
    pub fn sort<T, K: Ord>(&self, items: &mut [T], key: impl Fn(&T, &str) -> Option<K>, default: &str) {
        let known: Vec<_> = self
            .ordering
            .iter()
            .filter(|(name, _)| items.first().is_some_and(|item| key(item, name).is_some()))
            .collect();
        items.sort_by(|a, b| {
            let compared = known.iter().map(|(name, order)| {
                let ordering = key(a, name).cmp(&key(b, name));
                if *order == Order::Desc { ordering.reverse() } else { ordering }
            });
            let usual =
                || if known.is_empty() { key(a, default).cmp(&key(b, default)) } else { std::cmp::Ordering::Equal };
            compared.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then_with(usual)
        });
    }

    /// One page of what is no table.
    ///
    /// # Errors
    /// [`Error::InvalidPage`] beyond the end.
    pub fn cut<T>(&self, items: Vec<T>) -> Result<Page<T>> {
        let count = items.len() as u64;
        let (number, pages) = self.place(count)?;
        let skip = usize::try_from((number - 1) * self.size).unwrap_or(usize::MAX);
        let most = usize::try_from(self.size).unwrap_or(usize::MAX);
        Ok(Page { items: items.into_iter().skip(skip).take(most).collect(), count, number, pages, size: self.size })
    }

    /// The wanted page and the last one, by what there is.
    fn place(&self, count: u64) -> Result<(u64, u64)> {
        let pages = Ord::max(count.div_ceil(self.size), 1);
        let number = match self.page {
            Wanted::Number(number) => number,
            Wanted::Last => pages,
        };
        if number > pages { Err(Error::InvalidPage) } else { Ok((number, pages)) }
    }

    async fn page<E, R>(
        &self,
        db: &impl ConnectionTrait,
        count: u64,
        select: Select<E>,
        jump: Option<Jump>,
    ) -> Result<Page<R>>
    where
        E: EntityTrait,
        R: FromQueryResult + Send + Sync,
    {
        let (number, pages) = self.place(count)?;
        let items = if count == 0 {
            Vec::new()
        } else {
            let before = (number - 1) * self.size;
            let begun = match jump {
                Some(jump) if before > 0 => select.filter(jump(before)),
                _ => select.offset(before),
            };
            begun.limit(self.size).into_model::<R>().all(db).await?
        };
        Ok(Page { items, count, number, pages, size: self.size })
    }
}

/// Holds `part` literally, whatever the case of ASCII letters.
#[must_use]
pub fn contains_folded(column: SimpleExpr, part: &str) -> SimpleExpr {
    SimpleExpr::from(Func::lower(column)).like(contains(&part.to_lowercase()))
}

/// `%word%`, with the pattern's own characters taken literally.
fn contains(word: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}

/// One point: milliseconds since 1970, and how many events there were from one step before up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: i64,
    pub count: i32,
}

/// Begins with `start`, literally and case-sensitively.
#[must_use]
pub fn starts_with(column: SimpleExpr, start: &str) -> SimpleExpr {
    let length = i32::try_from(start.chars().count()).unwrap_or(i32::MAX);
    SimpleExpr::from(Func::cust("substr").arg(column).arg(1).arg(length)).eq(Expr::val(start))
}

/// Ends with `end`, literally and case-sensitively.
#[must_use]
pub fn ends_with(column: SimpleExpr, end: &str) -> SimpleExpr {
    let length = i32::try_from(end.chars().count()).unwrap_or(i32::MAX);
    let start = SimpleExpr::from(Func::cust("length").arg(column.clone())).sub(length).add(1);
    SimpleExpr::from(Func::cust("substr").arg(column).arg(start)).eq(Expr::val(end))
}

/// Holds `part` somewhere, literally and case-sensitively.
#[must_use]
pub fn holds(column: SimpleExpr, part: &str) -> SimpleExpr {
    if part.is_empty() {
        return column.is_not_null();
    }
    SimpleExpr::from(Func::cust("replace").arg(column.clone()).arg(part).arg("")).ne(column)
}

/// How many rows a table has that counts them.
///
/// # Errors
/// When the database is away.
pub async fn row_count(db: &impl ConnectionTrait, table: &'static str) -> Result<u64> {
    let sql = "SELECT CAST(sum(count) AS bigint) AS count FROM row_counts WHERE name = $1";
    let sum = Statement::from_sql_and_values(db.get_database_backend(), sql, [table.into()]);
    let row = db.query_one_raw(sum).await?.ok_or_else(|| Error::internal("a sum without a row"))?;
    Ok(u64::try_from(row.try_get::<i64>("", "count")?).unwrap_or_default())
}

/// What is searched: fields in lower case, one a line, so that no word matches across two.
#[must_use]
pub fn folded(fields: &[&str]) -> String {
    fields.join("\n").to_lowercase()
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Items on all pages.
    pub count: u64,
    /// 1-based.
    pub number: u64,
    pub pages: u64,
    /// Items on a full page.
    pub size: u64,
}

impl<T> Page<T> {
    /// Turns every item into something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        let Self { items, count, number, pages, size } = self;
        Page { items: items.into_iter().map(f).collect(), count, number, pages, size }
    }

    /// 1-based numbers of the first and last item; both 0 when there are none.
    #[must_use]
    pub fn span(&self) -> (u64, u64) {
        if self.count == 0 {
            return (0, 0);
        }
        let start = (self.number - 1) * self.size;
        (start + 1, Ord::min(start.saturating_add(self.size), self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pages_are_numbers_or_the_word_last() {
        let page = |text| ListRequest::new(Some(text), None, None, None).map(|r| r.page).ok();
        assert_eq!(page("2"), Some(Wanted::Number(2)));
        assert_eq!(page("last"), Some(Wanted::Last));
        for bad in ["0", "-1", "abc", "1.5", "99999999999999999999999", ""] {
            assert_eq!(page(bad), None, "{bad}");
        }
    }

    #[test]
    fn bad_sizes_fall_back() {
        for bad in ["0", "-1", "abc", ""] {
            let request = ListRequest::new(None, Some(bad), None, None).expect("reads");
            assert_eq!(request.size, DEFAULT_PAGE_SIZE, "{bad}");
        }
    }

    #[test]
    fn search_splits_on_space_and_comma() {
        let request = ListRequest::new(None, None, Some("-a, ,b"), Some("One,two  Ünï")).expect("reads");
        assert_eq!(request.search, ["one", "two", "ünï"]);
        assert_eq!(request.ordering, [("a".to_owned(), Order::Desc), ("b".to_owned(), Order::Asc)]);
    }

    proptest! {
        #[test]
        fn spans_tile_the_whole(count in 0_u64..500, size in 1_u64..60) {
            let pages = Ord::max(count.div_ceil(size), 1);
            let mut next = 1;
            for number in 1..=pages {
                let page = Page::<()> { items: Vec::new(), count, number, pages, size };
                let (start, end) = page.span();
                if count == 0 { prop_assert_eq!((start, end), (0, 0)); continue; }
                prop_assert_eq!(start, next);
                prop_assert!(end >= start && end - start < size);
                next = end + 1;
            }
            prop_assert_eq!(next, if count == 0 { 1 } else { count + 1 });
        }
    }
}

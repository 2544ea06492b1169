//! Listings as neutral values: which page, in which order, searched for what. Resources say which
//! columns take part; dialects say how it is written in a query and how a page looks.

use crate::error::{Error, Result};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseBackend, EntityTrait, FromQueryResult, IntoSimpleExpr, Order,
    PaginatorTrait as _, QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, ExprTrait as _, Func, LikeExpr, NullOrdering, SimpleExpr},
};
use serde_json::Value;

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

    /// Orders by what was asked for, as far as the resource knows the names, else by its default.
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
            known = default.iter().filter_map(|name| Some((column(name)?, Order::Asc))).collect();
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
        let pages = Ord::max(count.div_ceil(self.size), 1);
        let number = match self.page {
            Wanted::Number(number) => number,
            Wanted::Last => pages,
        };
        if number > pages {
            return Err(Error::InvalidPage);
        }
        let items = if count == 0 {
            Vec::new()
        } else {
            select.offset((number - 1) * self.size).limit(self.size).into_model::<R>().all(db).await?
        };
        Ok(Page { items, count, number, pages, size: self.size })
    }
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

/// Values that a free-form `attributes` column must hold, by path (contract: authentik-core §3.2).
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeFilter(Vec<(Vec<String>, Value)>);

impl AttributeFilter {
    /// Reads a JSON object; `a__b` is the path from `a` to `b`.
    ///
    /// # Errors
    /// [`Error::RefusedList`] in the contract's words.
    pub fn new(text: &str) -> Result<Self> {
        let refused = |words: &str| Error::RefusedList(format!("filter: {words}"));
        let value: Value = serde_json::from_str(text).map_err(|_| refused("failed to parse JSON"))?;
        // As escapes in the JSON: PostgreSQL cannot hold the character.
        if text.contains("\\u0000") || text.contains('\0') {
            return Err(refused("null characters are not allowed"));
        }
        if value.as_object().is_some_and(|map| map.len() > MOST_WORDS) {
            return Err(refused("too many keys"));
        }
        let Value::Object(map) = value else { return Err(refused("value must be key:value mapping")) };
        Ok(Self(map.into_iter().map(|(path, v)| (path.split("__").map(str::to_owned).collect(), v)).collect()))
    }

    /// The condition on `table.attributes`. Everything a caller wrote is bound, never spliced.
    #[must_use]
    pub fn condition(self, backend: DatabaseBackend, table: &'static str) -> SimpleExpr {
        self.0.into_iter().fold(Expr::val(true), |all, (path, value)| {
            let one = if backend == DatabaseBackend::Postgres {
                let template = format!("{table}.attributes #> CAST($1 AS text[]) = CAST($2 AS jsonb)");
                Expr::cust_with_values(template, [postgres_path(&path), value.to_string()])
            } else {
                let template = format!("({table}.attributes -> ?) = json(?)");
                Expr::cust_with_values(template, [sqlite_path(&path), value.to_string()])
            };
            all.and(one)
        })
    }
}

/// `$."a"."b"`
fn sqlite_path(path: &[String]) -> String {
    path.iter().fold(String::from("$"), |text, key| format!("{text}.\"{}\"", key.replace(['"', '\\'], "")))
}

/// `{"a","b"}`
fn postgres_path(path: &[String]) -> String {
    let keys: Vec<String> =
        path.iter().map(|key| format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    format!("{{{}}}", keys.join(","))
}

/// Begins with `start`, literally and case-sensitively.
#[must_use]
pub fn starts_with(column: SimpleExpr, start: &str) -> SimpleExpr {
    let length = i32::try_from(start.chars().count()).unwrap_or(i32::MAX);
    SimpleExpr::from(Func::cust("substr").arg(column).arg(1).arg(length)).eq(Expr::val(start))
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

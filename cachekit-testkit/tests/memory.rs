//! The in-memory backend keeps every rule of the suite.

use cachekit_testkit::conformance::MemoryFixture;

cachekit_testkit::conformance!(MemoryFixture::by_hand());

// Package database opens the SQLite file of the review page.
package database

import (
	_ "modernc.org/sqlite" // the driver "sqlite"
)

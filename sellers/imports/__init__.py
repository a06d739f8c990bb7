"""Stock from a spreadsheet: read and checked row by row, then loaded whole or not at all."""

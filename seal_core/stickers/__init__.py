"""From picture to sendable sticker: cut out, bordered, laid out, packed for a chat platform."""

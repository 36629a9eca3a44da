//! larder-fred

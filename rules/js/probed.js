// What the probe requires: a file that is read for the first time under the limits.
'use strict';

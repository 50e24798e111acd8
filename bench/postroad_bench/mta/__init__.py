"""Suite `mta`: our MTA beside Postfix and Haraka, under the same load, into the same sink, in the same run."""

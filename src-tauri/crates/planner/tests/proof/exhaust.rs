//! Every interleaving of small graphs.

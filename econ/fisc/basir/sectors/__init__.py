"""From texts to the sectors they touch: taxonomies, classifiers and their evidence."""

pub struct RememberedMany;
